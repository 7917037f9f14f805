import Foundation
import Logging
import TestSupport
import Testing

@testable import TLS

@Suite struct ServerCertificatesTests {
    private static func finding(_ files: CertificateFiles, now: Date = Date()) -> [String] {
        ServerCertificates.check(group: "https", files: [files], now: now).problems.map(\.description)
    }

    @Test("What is wrong with a certificate or its key is said with the setting, the file and the reason")
    func problems() async throws {
        let folder = try Folder()
        let own = try await TestCertificate("own", in: folder)
        let other = try await TestCertificate("other", kind: .rsa, in: folder)
        let text = try folder.write("hello\n", to: "text.pem")
        let cut = try folder.write(String(folder.read("own.pem").prefix(200)), to: "cut.pem")
        let cutKey = try folder.write(String(folder.read("own.key").prefix(60)), to: "cut.key")
        let locked = folder.file("locked.key")
        try await ForeignProgram.output(of: [
            "openssl", "pkey", "-in", own.key, "-aes256", "-passout", "pass:secret", "-out", locked,
        ])
        let old = folder.file("old.key")
        try await ForeignProgram.output(of: [
            "openssl", "ec", "-in", own.key, "-aes128", "-passout", "pass:secret", "-out", old,
        ])
        let encrypted =
            "the key in it is encrypted, and nobody is there to type a passphrase (openssl pkey -in … -out … writes a plain one)"
        let cases: [(String, String, String)] = [
            (
                folder.file("none.pem"), own.key,
                "https.certificate: \(folder.file("none.pem")): No such file or directory"
            ),
            (folder.path, own.key, "https.certificate: \(folder.path): it is no file"),
            (text, own.key, "https.certificate: \(text): there is no certificate in it (PEM)"),
            (own.key, own.key, "https.certificate: \(own.key): there is no certificate in it (PEM)"),
            (cut, own.key, "https.certificate: \(cut): the certificate in it cannot be read"),
            (own.certificate, folder.file("none"), "https.key: \(folder.file("none")): No such file or directory"),
            (own.certificate, text, "https.key: \(text): there is no private key in it (PEM)"),
            (own.certificate, cutKey, "https.key: \(cutKey): the key in it cannot be read"),
            (own.certificate, locked, "https.key: \(locked): \(encrypted)"),
            (own.certificate, old, "https.key: \(old): \(encrypted)"),
            (
                own.certificate, other.key,
                "https.key: \(other.key): the key does not fit the first certificate in \(own.certificate)"
            ),
        ]
        for (certificate, key, sentence) in cases {
            #expect(Self.finding(CertificateFiles(certificate: certificate, key: key)) == [sentence])
        }
        for pair in [own, other] {
            #expect(Self.finding(CertificateFiles(certificate: pair.certificate, key: pair.key)).isEmpty)
        }
        let both = try folder.write(folder.read("own.key") + folder.read("own.pem"), to: "both.pem")
        #expect(Self.finding(CertificateFiles(certificate: both, key: both)).isEmpty)
    }

    @Test("A certificate whose time is over, has not come or ends within two weeks is spoken of, by a start once a day")
    func times() async throws {
        let folder = try Folder()
        let own = try await TestCertificate("own", span: ("20300101000000Z", "20300401000000Z"), in: folder)
        let files = CertificateFiles(certificate: own.certificate, key: own.key)
        let start = Date(timeIntervalSince1970: 1_893_456_000)
        func day(_ number: Double) -> Date { start + number * 86_400 }
        #expect(
            Self.finding(files, now: day(-1)) == [
                "https.certificate: \(own.certificate): the certificate is not valid before 2030-01-01"
            ])
        #expect(
            Self.finding(files, now: day(91)) == [
                "https.certificate: \(own.certificate): the certificate has expired on 2030-04-01"
            ])
        let near = ServerCertificates.check(group: "https", files: [files], now: day(80))
        #expect(near.problems.isEmpty)
        #expect(
            near.notes.map(\.sentence) == ["\(own.certificate): the certificate expires on 2030-04-01"])
        #expect(ServerCertificates.check(group: "https", files: [files], now: day(60)).notes.isEmpty)

        let log = CapturedLog()
        let certificates = try ServerCertificates(group: "https", files: [files], logger: log.logger, now: day(60))
        for time in [60, 80, 80.5, 81, 90, 91, 91.2] { certificates.refresh(now: day(time)) }
        #expect(
            log.texts
                == ["expires on", "expires on", "has expired on", "has expired on"]
                .map { "the certificate \($0) 2030-04-01" })
    }

    @Test(
        "A pair that was replaced is read again; while only half of it was, the one from before stays, and one line says so"
    )
    func replaced() async throws {
        let folder = try Folder()
        let own = try await TestCertificate("own", hosts: ["own.example"], in: folder)
        let next = try await TestCertificate("next", hosts: ["next.example"], kind: .rsa, in: folder)
        let files = CertificateFiles(certificate: own.certificate, key: own.key)
        let log = CapturedLog()
        let certificates = try ServerCertificates(group: "https", files: [files], logger: log.logger)
        let first = certificates.context(for: nil)
        certificates.refresh()
        #expect(certificates.context(for: nil) === first && log.texts.isEmpty)

        try TestCertificate.move(next.certificate, to: own.certificate)
        for _ in 0..<3 { certificates.refresh() }
        #expect(certificates.context(for: nil) === first)
        #expect(log.texts == ["certificate not read, the one from before stays"])
        try TestCertificate.move(next.key, to: own.key)
        certificates.refresh()
        #expect(certificates.context(for: nil) !== first)
        #expect(log.texts == ["certificate not read, the one from before stays", "certificate read"])

        // A file that is gone for a moment, and one that is written over in place.
        let second = certificates.context(for: nil)
        let kept = folder.read("own.pem")
        try FileManager.default.removeItem(atPath: own.certificate)
        certificates.refresh()
        #expect(certificates.context(for: nil) === second)
        try folder.write(kept, to: "own.pem")
        certificates.refresh()
        #expect(certificates.context(for: nil) !== second)
        #expect(log.texts.count == 4)
    }
}
