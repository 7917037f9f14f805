import Foundation
import TestSupport

/// nginx with its rtmp module at the far end of pushes. It records what it gets.
///
/// Applications: `live` takes anybody, `keyed` asks a gate that lets nobody in.
final class FarEndNginx {
    let folder: Folder
    let port: Int
    private let httpPort: Int
    private var program: ForeignProgram?

    init() throws {
        folder = try Folder()
        port = try FreePort.take()
        httpPort = try FreePort.take()
        let user = getuid() == 0 ? "user root;" : ""
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(folder.file($0));" }.joined(separator: " ")
        try folder.write(
            """
            load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
            daemon off; worker_processes 1; \(user)
            pid \(folder.file("nginx.pid")); error_log \(folder.file("nginx.log")) info;
            events { worker_connections 256; }
            rtmp {
                access_log off;
                server {
                    listen 127.0.0.1:\(port);
                    application live {
                        live on; idle_streams off;
                        record all; record_path \(folder.path); record_suffix .flv;
                    }
                    application keyed { live on; on_publish http://127.0.0.1:\(httpPort)/gate; }
                }
            }
            http {
                access_log off; \(temporary)
                server {
                    listen 127.0.0.1:\(httpPort);
                    location = /stat { rtmp_stat all; }
                    location = /gate { return 403; }
                }
            }
            """, to: "nginx.conf")
    }

    /// `rtmp://…/live/<stream>`
    func url(_ stream: String, app: String = "live") -> String { "rtmp://127.0.0.1:\(port)/\(app)/\(stream)" }

    /// The recording of a stream.
    func recording(_ stream: String) -> String { folder.file("\(stream).flv") }

    /// Starts it, again if need be, and waits until it answers.
    func start() async throws {
        let program = try ForeignProgram(["nginx", "-e", folder.file("nginx.log"), "-c", folder.file("nginx.conf")])
        self.program = program
        try await eventually("nginx' start") {
            guard program.isRunning else {
                throw ProgramFailure(description: "nginx ended: \(program.errors) \(self.folder.read("nginx.log"))")
            }
            return (try? await HTTPGet("http://127.0.0.1:\(self.httpPort)/stat").status) == 200
        }
    }

    /// As a crash would end it.
    func kill() async throws {
        program?.kill()
        try await program?.result()
        program = nil
    }

    /// The names of the streams that somebody publishes to it now, sorted.
    func published() async throws -> [String] {
        let text = try await HTTPGet("http://127.0.0.1:\(httpPort)/stat").text
        return text.split(separator: "<stream>").dropFirst().compactMap { part in
            guard part.prefix(while: { $0 != "\u{0}" }).contains("<publishing/>"),
                let name = part.firstMatch(of: /<name>(.*?)<\/name>/)
            else { return nil }
            return String(name.1)
        }.sorted()
    }
}
