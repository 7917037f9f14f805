import Foundation
import NIOSSL
import TestSupport
import Testing

@testable import PushPublish

@Suite(.serialized, .timeLimit(.minutes(2))) struct TLSTests {
    /// An authority of our own and a server's certificate for `localhost`.
    private static func certificates(in folder: Folder) async throws -> NIOSSLContext {
        let (authority, key, request) = (folder.file("ca.pem"), folder.file("key.pem"), folder.file("request.pem"))
        try await ForeignProgram.output(of: [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
            "2",
            "-subj", "/CN=Test authority", "-keyout", folder.file("ca.key"), "-out", authority,
        ])
        try await ForeignProgram.output(of: [
            "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", request,
        ])
        try await ForeignProgram.output(of: [
            "openssl", "x509", "-req", "-in", request, "-CA", authority, "-CAkey", folder.file("ca.key"),
            "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out", folder.file("server.pem"),
        ])
        let chain = try NIOSSLCertificate.fromPEMFile(folder.file("server.pem")).map {
            NIOSSLCertificateSource.certificate($0)
        }
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: chain, privateKey: .privateKey(NIOSSLPrivateKey(file: key, format: .pem))))
    }

    @Test func aTrustedCertificateForTheNameIsTaken() async throws {
        let folder = try Folder()
        let farEnd = try await FarEnd.start(tls: TLSTests.certificates(in: folder))
        try await House.open({ $0.trustRoots = .file(folder.file("ca.pem")) }) { house in
            let publisher = try await house.publish("s")
            let name = try await house.push("s", to: "rtmps://localhost:\(farEnd.port)/app/key-abcd")
            try await house.awaitStatus(.connected, of: name)
            try await eventually("media") { farEnd.now.bytes > 50_000 }
            #expect(try await house.disconnect(name) == [name])
            try await eventually("goodbye") { farEnd.now.unpublished == 1 && farEnd.now.open == 0 }

            let wrong = try await house.push("s", to: "rtmps://127.0.0.1:\(farEnd.port)/app/key-abcd")
            try await house.awaitStatus(.failed, of: wrong)
            let report = try #require(await house.report(wrong))
            #expect(report.history.last?.failure == .certificateRefused)
            #expect(report.lastError == "the far end's certificate is not for this host name")
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func anUntrustedCertificateIsPermanentAndSaysSo() async throws {
        let folder = try Folder()
        let farEnd = try await FarEnd.start(tls: TLSTests.certificates(in: folder))
        try await House.open { house in
            let publisher = try await house.publish("s")
            let name = try await house.push("s", to: "rtmps://localhost:\(farEnd.port)/app/key-abcd")
            try await house.awaitStatus(.failed, of: name)
            let report = try #require(await house.report(name))
            #expect(report.history.last?.failure == .certificateRefused)
            #expect(report.lastError?.hasPrefix("the far end's certificate is not trusted") == true)
            #expect(farEnd.now.published.isEmpty)
            publisher.end()
        }
        await farEnd.stop()
    }

    @Test func aPortWithoutTLSIsTriedAgain() async throws {
        let farEnd = try await FarEnd.start()
        try await House.open { house in
            let publisher = try await house.publish("s")
            let name = try await house.push("s", to: "rtmps://localhost:\(farEnd.port)/app/key-abcd")
            try await house.awaitStatus(.retrying, of: name)
            publisher.end()
        }
        await farEnd.stop()
    }
}
