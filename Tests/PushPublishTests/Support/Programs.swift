import Foundation
import Glibc
import Testing

/// A folder of its own, removed when let go.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/playhouse-push-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }
}

enum Programs {
    struct Failed: Error, CustomStringConvertible {
        var description: String
    }

    /// Starts a program; the caller ends it.
    static func start(_ arguments: [String], log: String) throws -> Process {
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: log)
        process.standardError = FileHandle(forWritingAtPath: log)
        try process.run()
        return process
    }

    /// Runs a program to its end and gives what it wrote.
    @discardableResult
    static func run(_ arguments: [String], in scratch: Scratch) async throws -> String {
        let log = scratch.file("run-\(UUID().uuidString).log")
        let process = try start(arguments, log: log)
        try await ended(process, arguments.first ?? "")
        let output = String(decoding: FileManager.default.contents(atPath: log) ?? Data(), as: UTF8.self)
        guard process.terminationStatus == 0 else {
            throw Failed(description: "\(arguments.first ?? ""): \(output.suffix(500))")
        }
        return output
    }

    static func ended(_ process: Process, _ name: String) async throws {
        try await eventually("\(name) ends") { !process.isRunning }
    }

    /// A port of loopback that is free now.
    static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard isBound else { throw Failed(description: "no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// One packet of a file as ffmpeg's demultiplexer gives it, times in milliseconds from the file's first.
    struct Packet: Hashable {
        var isVideo: Bool
        var decodeTime: Int
        var presentationTime: Int
        var hash: String
    }

    static func packets(of file: String, in scratch: Scratch) async throws -> [Packet] {
        let text = try await run(
            [
                "ffmpeg", "-v", "error", "-i", file, "-map", "0:v", "-map", "0:a", "-c", "copy", "-f", "framemd5", "-",
            ], in: scratch)
        return text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            // Side data may follow the hash.
            guard parts.count >= 6, let dts = Int(parts[1]), let pts = Int(parts[2]) else { return nil }
            return Packet(isVideo: parts[0] == "0", decodeTime: dts, presentationTime: pts, hash: parts[5])
        }
    }
}

/// nginx with its rtmp module, which records what it is sent.
final class NginxServer {
    let port: Int
    let scratch: Scratch
    private var process: Process?

    init(scratch: Scratch) throws {
        self.scratch = scratch
        port = try Programs.freePort()
        let user = getuid() == 0 ? "user root;" : ""
        let configuration = """
            load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
            \(user)
            worker_processes 1;
            daemon off;
            pid \(scratch.file("nginx.pid"));
            error_log \(scratch.file("nginx.log")) info;
            events { worker_connections 64; }
            rtmp {
                access_log off;
                server {
                    listen 127.0.0.1:\(port);
                    application live { live on; record all; record_path \(scratch.path); record_suffix .flv; }
                }
            }
            """
        try configuration.write(toFile: scratch.file("nginx.conf"), atomically: true, encoding: .utf8)
    }

    var url: String { "rtmp://127.0.0.1:\(port)/live" }

    func start() throws {
        process = try Programs.start(
            ["nginx", "-e", scratch.file("nginx.log"), "-c", scratch.file("nginx.conf")], log: scratch.file("nginx.out")
        )
    }

    func stop() async throws {
        guard let process else { return }
        process.terminate()
        try await Programs.ended(process, "nginx")
        self.process = nil
    }
}
