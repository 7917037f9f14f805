import Foundation
import TestSupport

/// Certificates and ports for an origin with TLS, and what its addresses look like.
struct SecureSetup: Sendable {
    let folder: Folder
    let https: Int
    let rtmps: Int
    /// For every name but those of `other`.
    let own: TestCertificate
    /// For `other.example` and what stands one label below `live.example`.
    let other: TestCertificate

    init() async throws {
        folder = try Folder()
        https = try FreePort.take()
        rtmps = try FreePort.take()
        own = try await TestCertificate("own", hosts: ["localhost", "own.example"], in: folder)
        other = try await TestCertificate("other", hosts: ["other.example", "*.live.example"], kind: .rsa, in: folder)
    }

    var settings: [String] {
        [
            "https.listen: 127.0.0.1:\(https)", "https.certificate: [\(own.certificate), \(other.certificate)]",
            "https.key: [\(own.key), \(other.key)]", "rtmps.listen: 127.0.0.1:\(rtmps)",
        ]
    }

    func start(_ further: [String] = []) async throws -> OriginProcess {
        try await OriginProcess(settings + further, folder: folder)
    }

    /// `https://localhost:…/path`.
    func url(_ path: String) -> String { "https://localhost:\(https)\(path)" }

    func rtmp(_ stream: String, query: String = "") -> String {
        "rtmps://127.0.0.1:\(rtmps)/demo-origin/live/\(stream)\(query)"
    }

    /// What curl says: what was asked for with `--write-out`, and how it ended.
    func curl(_ arguments: [String]) async throws -> ProgramResult {
        try await ForeignProgram.run(["curl", "-sS", "--disable", "--cacert", own.certificate] + arguments)
    }
}
