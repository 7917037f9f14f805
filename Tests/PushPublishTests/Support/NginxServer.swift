import Foundation
import TestSupport

/// One packet of a file as ffmpeg's demultiplexer gives it, times in milliseconds from the file's first.
struct DemultiplexedPacket: Hashable {
    var isVideo: Bool
    var decodeTime: Int
    var presentationTime: Int
    var hash: String

    static func all(of file: String) async throws -> [DemultiplexedPacket] {
        let text = try await ForeignProgram.output(
            of: [
                "ffmpeg", "-v", "error", "-i", file, "-map", "0:v", "-map", "0:a", "-c", "copy", "-f", "framemd5", "-",
            ]
        ).text
        return text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            // Side data may follow the hash.
            guard parts.count >= 6, let dts = Int(parts[1]), let pts = Int(parts[2]) else { return nil }
            return DemultiplexedPacket(isVideo: parts[0] == "0", decodeTime: dts, presentationTime: pts, hash: parts[5])
        }
    }
}

/// nginx with its rtmp module, which records what it is sent.
final class NginxServer {
    let port: Int
    let folder: Folder
    private var program: ForeignProgram?

    init(folder: Folder) throws {
        self.folder = folder
        port = try freePort()
        let user = getuid() == 0 ? "user root;" : ""
        let configuration = """
            load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
            \(user)
            worker_processes 1;
            daemon off;
            pid \(folder.file("nginx.pid"));
            error_log \(folder.file("nginx.log")) info;
            events { worker_connections 64; }
            rtmp {
                access_log off;
                server {
                    listen 127.0.0.1:\(port);
                    application live { live on; record all; record_path \(folder.path); record_suffix .flv; }
                }
            }
            """
        try configuration.write(toFile: folder.file("nginx.conf"), atomically: true, encoding: .utf8)
    }

    var url: String { "rtmp://127.0.0.1:\(port)/live" }

    func start() throws {
        program = try ForeignProgram(["nginx", "-e", folder.file("nginx.log"), "-c", folder.file("nginx.conf")])
    }

    func stop() async throws {
        program?.signal(SIGTERM)
        try await program?.result()
        program = nil
    }
}
