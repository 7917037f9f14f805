import Foundation
import TestSupport
import Testing

/// What `/healthz` and `/readyz` say of the running program.
@Suite(.serialized) struct HealthTests {
    private static let well =
        #"{"status":"ready","parts":{"store":{"status":"ok"},"connections":{"status":"ok"},"memory":{"status":"ok"},"#
        + #""shutdown":{"status":"ok"}}}"# + "\n"

    private func head(_ url: String) async throws -> String {
        try await ForeignProgram.output(of: ["curl", "-sI", "-o", "/dev/null", "-w", "%{http_code}", url]).text
    }

    @Test("While another process holds the database the server lives and is not ready, and says why")
    func aHeldDatabase() async throws {
        let origin = try await OriginProcess()
        let base = "http://127.0.0.1:\(origin.httpPort)"
        let ready = try await HTTPGet("\(base)/readyz")
        #expect(ready.status == 200 && ready.text == Self.well)
        #expect(ready.headers["content-type"] == "application/json" && ready.headers["cache-control"] == "no-store")
        #expect(try await head("\(base)/readyz") == "200")

        let holder = try ForeignProgram([
            "python3", "-c",
            """
            import sqlite3, sys, time
            database = sqlite3.connect(sys.argv[1], timeout=30)
            database.execute('BEGIN EXCLUSIVE')
            print('held', flush=True)
            time.sleep(600)
            """, origin.folder.file("data/playhouse.sqlite"),
        ])
        try await eventually("the lock") { holder.output.contains("held") }
        // The last trial write is good for a second.
        var ill = ready
        try await eventually("it is not ready") {
            ill = try await HTTPGet("\(base)/readyz")
            return ill.status != 200
        }
        #expect(ill.status == 503)
        #expect(ill.headers["retry-after"] == "2")
        #expect(
            ill.text.hasPrefix(
                #"{"status":"not ready","parts":{"store":{"status":"ill","reason":"a write has not ended"#))
        #expect(
            ill.text.hasSuffix(
                #""connections":{"status":"ok"},"memory":{"status":"ok"},"shutdown":{"status":"ok"}}}"# + "\n"))
        #expect(try await head("\(base)/readyz") == "503")
        try await eventually("the database's own words") {
            try await HTTPGet("\(base)/readyz").text.contains("SQLite 5, database is locked")
        }
        let alive = try await HTTPGet("\(base)/healthz")
        #expect(alive.status == 200 && alive.text == "ok\n")
        holder.kill()
        try await eventually("it is ready") { try await HTTPGet("\(base)/readyz").text == Self.well }
    }

    @Test("A server that holds as many connections as it may is not ready, and says so")
    func aFullServer() async throws {
        let origin = try await OriginProcess(["limits.connections: 6", "limits.connections_reserved: 2"])
        var peers: [RawPeer] = []
        for _ in 0..<4 { peers.append(try await RawPeer.connect(port: origin.httpPort)) }
        let url = "http://127.0.0.1:\(origin.httpPort)/readyz"
        var reply = try await Curl.get(url)
        try await eventually("it is not ready") {
            reply = try await Curl.get(url)
            return reply.status == 503
        }
        #expect(
            reply.body.contains(
                #""connections":{"status":"ill","reason":"limits.connections is reached: no viewer gets in"}"#))
        #expect(reply.body.contains(#""store":{"status":"ok"}"#))
        for peer in peers { await peer.close() }
        try await eventually("it is ready") { try await Curl.get(url).status == 200 }
    }
}
