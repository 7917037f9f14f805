import Admission
import Basics
import Foundation
import NIOSSL

/// A certificate's file and its key's, as the configuration names them.
public struct CertificateFiles: Sendable, Hashable {
    /// PEM: the certificate, and those between it and an authority.
    public var certificate: String
    /// PEM, not encrypted; it may be the same file.
    public var key: String

    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

/// What is wrong, or will be, with a certificate or its key.
public struct CertificateFinding: Error, Sendable, Hashable, CustomStringConvertible {
    /// The key of the configuration: `https.key`.
    public var setting: String
    /// With the path at its beginning.
    public var sentence: String

    public var description: String { "\(setting): \(sentence)" }
}

/// A certificate with its key, as they were read.
struct LoadedCertificate: Sendable {
    let context: NIOSSLContext
    /// Host names, as they stand in it.
    let names: [String]
    let notBefore: Date
    let notAfter: Date

    /// A chain with its comments has some ten KiB.
    private static let maximumSize: Int64 = 1 << 20
    /// TLS 1.2: keys that are forgotten, and authenticated encryption. Those of TLS 1.3 are all so.
    private static let ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"

    /// Reads both files; blocks meanwhile.
    /// - Parameters:
    ///   - group: the settings that name them: `https` or `rtmps`.
    ///   - protocols: what is spoken inside, the dearest first (RFC 7301); empty: nothing is said of it.
    init(_ files: CertificateFiles, group: String, protocols: [String]) throws(CertificateFinding) {
        func fail(_ member: String, _ path: String, _ reason: String) -> CertificateFinding {
            CertificateFinding(setting: "\(group).\(member)", sentence: "\(path): \(reason)")
        }
        func bytes(_ member: String, _ path: String) throws(CertificateFinding) -> [UInt8] {
            let stamp: FileStamp
            do throws(FileStamp.Failure) {
                stamp = try FileStamp(path: path)
            } catch {
                throw fail(member, path, error.description)
            }
            guard stamp.size <= Self.maximumSize else { throw fail(member, path, "it is larger than 1 MiB") }
            guard let data = FileManager.default.contents(atPath: path) else {
                throw fail(member, path, String(cString: strerror(EACCES)))
            }
            return [UInt8](data)
        }
        let certificate = try bytes("certificate", files.certificate)
        guard Self.holds(certificate, "CERTIFICATE-----") else {
            throw fail("certificate", files.certificate, "there is no certificate in it (PEM)")
        }
        guard let chain = try? NIOSSLCertificate.fromPEMBytes(certificate), let leaf = chain.first else {
            throw fail("certificate", files.certificate, "the certificate in it cannot be read")
        }
        let key = try bytes("key", files.key)
        guard !Self.holds(key, "BEGIN ENCRYPTED PRIVATE KEY-----"), !Self.holds(key, "Proc-Type: 4,ENCRYPTED") else {
            throw fail(
                "key", files.key,
                "the key in it is encrypted, and nobody is there to type a passphrase (openssl pkey -in … -out … writes a plain one)"
            )
        }
        guard Self.holds(key, "PRIVATE KEY-----") else {
            throw fail("key", files.key, "there is no private key in it (PEM)")
        }
        let none: NIOSSLPassphraseCallback<[UInt8]> = { $0([]) }
        guard let privateKey = try? NIOSSLPrivateKey(bytes: key, format: .pem, passphraseCallback: none) else {
            throw fail("key", files.key, "the key in it cannot be read")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuites = Self.ciphers
        configuration.applicationProtocols = protocols
        // Whoever closes has nothing more to hear: the peer's own farewell is not waited for.
        configuration.shutdownTimeout = .zero
        guard let context = try? NIOSSLContext(configuration: configuration) else {
            throw fail("key", files.key, "the key does not fit the first certificate in \(files.certificate)")
        }
        self.context = context
        names = Self.names(of: leaf)
        notBefore = Date(timeIntervalSince1970: Double(leaf.notValidBefore))
        notAfter = Date(timeIntervalSince1970: Double(leaf.notValidAfter))
    }

    private static func holds(_ bytes: [UInt8], _ text: String) -> Bool {
        bytes.firstRange(of: Array(text.utf8)) != nil
    }

    /// Those of the alternative names; of an old certificate without any, the common name.
    private static func names(of certificate: NIOSSLCertificate) -> [String] {
        let alternative = certificate._subjectAlternativeNames().compactMap { name in
            name.nameType == .dnsName ? String(decoding: name.contents, as: UTF8.self) : nil
        }
        guard alternative.isEmpty else { return alternative }
        return certificate.subjectName.filter { $0.type == .commonName }.suffix(1).map(\.value)
    }

    /// How long before its end a certificate is spoken of: whoever renews them by a program does so earlier.
    private static let notice: TimeInterval = 14 * 86_400

    /// What there is to say about its time; nil: nothing.
    func judge(now: Date) -> (text: String, isOver: Bool)? {
        if now >= notAfter { return ("the certificate has expired on \(Self.day(notAfter))", true) }
        if now < notBefore { return ("the certificate is not valid before \(Self.day(notBefore))", true) }
        return notAfter.timeIntervalSince(now) < Self.notice
            ? ("the certificate expires on \(Self.day(notAfter))", false) : nil
    }

    private static func day(_ date: Date) -> String {
        let day = CivilDate(daysSinceEpoch: Int(clamping: Int64((date.timeIntervalSince1970 / 86_400).rounded(.down))))
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(day.year)-\(two(day.month))-\(two(day.day))"
    }
}
