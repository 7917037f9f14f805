import AsyncHTTPClient
import Basics
import ControlAPI
import Foundation
import NIOCore
import NIOPosix
import TestSupport

/// The program itself, serving on free ports with a database of its own.
final class OriginProcess: Sendable {
    let folder: Folder
    let httpPort: Int
    let rtmpPort: Int
    let configuration: String
    private let program: ForeignProgram

    /// - Parameters:
    ///   - settings: further lines of the configuration, as `key: value`.
    ///   - folder: an earlier origin's, to start again on its database.
    ///   - files: how many it may have open.
    ///   - path: of the program.
    ///   - sockets: what it is to listen on, as systemd gives them.
    init(
        _ settings: [String] = [], folder: Folder? = nil, ports: (http: Int, rtmp: Int)? = nil, files: Int? = nil,
        path: String = Places.playhouse, sockets: SystemdSockets? = nil
    ) async throws {
        let folder = try folder ?? Folder()
        self.folder = folder
        httpPort = try ports?.http ?? FreePort.take()
        rtmpPort = try ports?.rtmp ?? FreePort.take()
        let lines = [
            "http.listen: 127.0.0.1:\(httpPort)", "rtmp.listen: 127.0.0.1:\(rtmpPort)",
            "storage.path: \(folder.path)/data", "server.public_host: 127.0.0.1",
        ]
        configuration = try folder.write((lines + settings).joined(separator: "\n") + "\n", to: "playhouse.yaml")
        let limits = files.map { ["/bin/sh", "-c", "ulimit -n \($0) && exec \"$@\"", "sh"] } ?? []
        let given = sockets.map { _ in ["/bin/sh", "-c", "LISTEN_PID=$$ exec \"$@\"", "sh"] } ?? []
        program = try ForeignProgram(
            limits + given + [path, "serve", "--config", configuration], environment: sockets?.environment ?? [:],
            descriptors: sockets?.descriptors ?? [])
        let url = "http://127.0.0.1:\(httpPort)/healthz"
        try await eventually("the origin's start: \(program.errors)") {
            guard program.isRunning else { throw ProgramFailure(description: "the origin ended: \(program.errors)") }
            return (try? await HTTPGet(url).status) == 200
        }
    }

    /// Its log so far.
    var log: String { program.errors }
    var isRunning: Bool { program.isRunning }
    var processID: Int32 { program.processID }

    func signal(_ number: Int32) { program.signal(number) }

    /// SIGTERM, and waits for the end.
    @discardableResult
    func stop(within seconds: Double = 30) async throws -> ProgramResult {
        program.signal(SIGTERM)
        return try await program.result(within: seconds)
    }

    /// An account made by the command line.
    func account(_ name: String = "demo", accountID: AccountID = 158) async throws -> TestAccount {
        let made = try await ForeignProgram.run([
            Places.playhouse, "account", "create", name, "--cdn", "\(accountID)", "--config", configuration, "--json",
        ])
        struct Keys: Decodable {
            var cdn: Int
            var user: String
            var apiKey: String
            var privateKey: String
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard made.status == 0, let keys = try? decoder.decode(Keys.self, from: made.output) else {
            throw ProgramFailure(description: "account create: \(made.status) \(made.text) \(made.errors)")
        }
        return TestAccount(
            name: keys.user,
            keys: SignedCall(
                accountID: AccountID(rawValue: keys.cdn), apiKey: keys.apiKey, privateKey: keys.privateKey),
            url: "http://127.0.0.1:\(httpPort)/stable/")
    }

    /// `rtmp://…/app/live/stream`.
    func rtmp(_ stream: String, app: String = "demo-origin", query: String = "") -> String {
        "rtmp://127.0.0.1:\(rtmpPort)/\(app)/live/\(stream)\(query)"
    }

    /// The master playlist's address.
    func playlist(_ stream: String, app: String = "demo-origin", query: String = "") -> String {
        "http://127.0.0.1:\(httpPort)/\(app)/play/\(stream)/playlist.m3u8\(query)"
    }
}

/// An account and its keys.
struct TestAccount: Sendable {
    let name: String
    let keys: SignedCall
    let url: String

    /// Signs and sends a command; gives the reply's members.
    @discardableResult
    func call(_ command: String, _ fields: JSONObject = [:]) async throws -> JSONObject {
        let text = keys.text(command: command, fields: fields, now: Date())
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: text))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let body = try await response.body.collect(upTo: 4 << 20)
        let document = try JSONParser.parse(Array(body.readableBytesView))
        guard let object = document.root.objectValue else {
            throw ProgramFailure(description: "\(command): no object: \(String(buffer: body))")
        }
        return object
    }

    /// As `call`, and the test fails unless it succeeds.
    @discardableResult
    func succeed(_ command: String, _ fields: JSONObject = [:]) async throws -> JSONObject {
        let reply = try await call(command, fields)
        guard reply["status"] == "success" else {
            throw ProgramFailure(
                description: "\(command) failed: \(String(decoding: JSONWriter.write(reply), as: UTF8.self))")
        }
        return reply
    }

    /// A stream that anybody may publish.
    func openStream(_ stream: String, _ settings: JSONObject = [:]) async throws {
        var fields: JSONObject = [
            "app": .string("\(name)-origin"), "stream": .string(stream), "user": .null, "pass": .null,
        ]
        for member in settings.members { fields[member.name] = member.value }
        try await succeed("sevu.addstreamuser", fields)
    }
}

/// One GET.
struct HTTPGet: Sendable {
    let status: Int
    let headers: [String: String]
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    init(_ url: String, headers: [String: String] = [:]) async throws {
        var request = HTTPClientRequest(url: url)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        status = Int(response.status.code)
        var all: [String: String] = [:]
        for header in response.headers { all[header.name.lowercased()] = header.value }
        self.headers = all
        body = Array(try await response.body.collect(upTo: 64 << 20).readableBytesView)
    }
}

/// A port nobody listens on.
enum FreePort {
    static func take() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw ProgramFailure(description: "no socket") }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic -> UInt16? in
                guard bind(descriptor, generic, length) == 0, getsockname(descriptor, generic, &length) == 0 else {
                    return nil
                }
                return UInt16(0)
            }
        }
        guard port != nil else { throw ProgramFailure(description: "no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
