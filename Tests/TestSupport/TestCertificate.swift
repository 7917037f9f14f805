import Foundation

/// A certificate that openssl has made and signed with its own key, so that it is its own authority.
public struct TestCertificate: Sendable {
    public enum Kind: Sendable {
        case ecdsa
        case rsa
    }

    /// PEM files.
    public let certificate: String
    public let key: String

    /// - Parameters:
    ///   - name: the files are called so.
    ///   - hosts: names in it, such as `a.example` or `*.example`; 127.0.0.1 stands in it as well.
    ///   - span: from and to when it is valid, as `20200101000000Z`; nil: from now on for `days`.
    public init(
        _ name: String, hosts: [String] = ["localhost"], kind: Kind = .ecdsa, days: Int = 90,
        span: (from: String, to: String)? = nil, in folder: Folder
    ) async throws {
        certificate = folder.file("\(name).pem")
        key = folder.file("\(name).key")
        let algorithm =
            switch kind {
            case .ecdsa: ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            case .rsa: ["rsa:2048"]
            }
        let names = (hosts.map { "DNS:\($0)" } + ["IP:127.0.0.1"]).joined(separator: ",")
        let request =
            ["openssl", "req", "-newkey"] + algorithm
            + ["-nodes", "-subj", "/CN=\(name)", "-addext", "subjectAltName=\(names)", "-keyout", key]
        guard let span else {
            try await ForeignProgram.output(of: request + ["-x509", "-days", "\(days)", "-out", certificate])
            return
        }
        // Of these openssl lets only its authority choose the days.
        try await ForeignProgram.output(of: request + ["-out", folder.file("\(name).req")])
        let index = try folder.write("", to: "\(name).index")
        let serial = try folder.write("01\n", to: "\(name).serial")
        let settings = """
            [ca]\ndefault_ca=own\n[own]\ndatabase=\(index)\nserial=\(serial)\nnew_certs_dir=\(folder.path)
            default_md=sha256\npolicy=any\ncopy_extensions=copy\n[any]\ncommonName=supplied\n
            """
        let file = try folder.write(settings, to: "\(name).cnf")
        try await ForeignProgram.output(of: [
            "openssl", "ca", "-batch", "-notext", "-config", file, "-selfsign", "-keyfile", key, "-in",
            folder.file("\(name).req"), "-startdate", span.from, "-enddate", span.to, "-out", certificate,
        ])
    }

    /// The serial number of the certificate that a server gives, by `openssl s_client`; empty when there is no handshake.
    /// - Parameter options: of `s_client`, such as `-servername`.
    public static func served(port: Int, _ options: String...) async throws -> String {
        let seen = try await ForeignProgram.run(
            ["openssl", "s_client", "-connect", "127.0.0.1:\(port)"] + options, input: Data())
        return try await ForeignProgram.run(
            ["openssl", "x509", "-noout", "-serial"], input: Data(seen.text.utf8)
        ).text.trimmingCharacters(in: .newlines)
    }

    /// Its serial number, as `served` gives it.
    public var serial: String {
        get async throws {
            try await ForeignProgram.output(of: ["openssl", "x509", "-noout", "-serial", "-in", certificate]).text
                .trimmingCharacters(in: .newlines)
        }
    }

    /// Puts the files of another certificate in the place of this one's, each at one stroke, as programs that renew do.
    public func replace(with other: TestCertificate) throws {
        try Self.move(other.certificate, to: certificate)
        try Self.move(other.key, to: key)
    }

    public static func move(_ path: String, to place: String) throws {
        guard rename(path, place) == 0 else {
            throw ProgramFailure(description: "\(path): \(String(cString: strerror(errno)))")
        }
    }
}
