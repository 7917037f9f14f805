import Foundation
import TestSupport

/// nginx with `examples/nginx-edge.conf` in front of an origin, and between the two a server that counts what reaches the origin.
final class EdgeNginx {
    let folder: Folder
    let port: Int
    private let program: ForeignProgram

    init(before origin: OriginProcess) async throws {
        let folder = try Folder()
        self.folder = folder
        port = try FreePort.take()
        let counter = try FreePort.take()
        let file = Places.repository + "/examples/nginx-edge.conf"
        let shipped = try String(contentsOfFile: file, encoding: .utf8)
        var edge = shipped
        for (theirs, ours) in [
            ("/var/cache/nginx/playhouse", folder.file("cache")), ("/dev/shm/playhouse-usher", folder.file("usher")),
            ("server 127.0.0.1:8080;", "server 127.0.0.1:\(counter);"),
            ("listen 80;", "listen 127.0.0.1:\(port);\n    access_log \(folder.file("edge")) edge;"),
        ] {
            guard edge.contains(theirs) else { throw ProgramFailure(description: "\(file) has no \(theirs)") }
            edge = edge.replacing(theirs, with: ours)
        }
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(folder.file($0));" }.joined(separator: " ")
        try folder.write(
            """
            daemon off; worker_processes 2; \(getuid() == 0 ? "user root;" : "")
            pid \(folder.file("nginx.pid")); error_log \(folder.file("nginx.log")) warn;
            events { worker_connections 4096; }
            http {
                \(temporary)
                access_log off;
                log_subrequest on;
                log_format edge '$uri|$usher_second|$usher_viewer|$upstream_cache_status|$status';
                log_format origin '$uri|$http_x_original_uri|$args';
                \(edge)
                server {
                    listen 127.0.0.1:\(counter);
                    access_log \(folder.file("origin")) origin;
                    location / {
                        proxy_http_version 1.1;
                        proxy_set_header Connection "";
                        proxy_set_header Host $host;
                        proxy_pass http://127.0.0.1:\(origin.httpPort);
                    }
                }
            }
            """, to: "nginx.conf")
        program = try ForeignProgram(["nginx", "-e", folder.file("nginx.log"), "-c", folder.file("nginx.conf")])
        try await eventually("nginx' start") {
            guard program.isRunning else {
                throw ProgramFailure(description: "nginx ended: \(program.errors) \(folder.read("nginx.log"))")
            }
            return (try? await HTTPGet("http://127.0.0.1:\(port)/healthz").status) == 200
        }
    }

    /// The player's address for a ticket at the edge.
    func viewer(_ ticket: TicketScene.Ticket, from address: String) -> HLSViewer {
        HLSViewer(url: "http://127.0.0.1:\(port)/demo-origin/play/paid/playlist.m3u8\(ticket.query)", address: address)
    }

    /// The address at the edge of something of a stream.
    func url(_ path: String) -> String { "http://127.0.0.1:\(port)/demo-origin/play/\(path)" }

    struct Line: Hashable {
        var fields: [String]
        init(_ text: Substring) {
            fields = text.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        }
    }

    private func lines(_ name: String) -> [Line] { folder.read(name).split(separator: "\n").map(Line.init) }

    /// What reached the origin: the paths of requests.
    var requestsAtOrigin: [String] { lines("origin").compactMap(\.fields.first) }

    /// What reached the origin, with its query.
    var fetchesAtOrigin: [String] {
        lines("origin").filter { $0.fields.count == 3 && $0.fields[0] != "/usher/check" }
            .map { $0.fields[2] == "-" ? $0.fields[0] : "\($0.fields[0])?\($0.fields[2])" }
    }

    /// The paths that the origin was asked about.
    var questionsAtOrigin: [String] {
        lines("origin").filter { $0.fields.first == "/usher/check" && $0.fields.count == 3 }.map { $0.fields[1] }
    }

    /// The edge's own questions and what became of them: second, viewer, state of the copy.
    var questions: [(second: String, viewer: String, cache: String)] {
        lines("edge").filter { $0.fields.first == "/_usher" && $0.fields.count == 5 }.map {
            ($0.fields[1], $0.fields[2], $0.fields[3])
        }
    }
}
