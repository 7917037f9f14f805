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

    @Test("A trusted certificate for the name is accepted")
    func aTrustedCertificateForTheNameIsTaken() async throws {
        let folder = try Folder()
        let destination = try await TestDestination.start(tls: TLSTests.certificates(in: folder))
        try await PushRig.open({ $0.trustRoots = .file(folder.file("ca.pem")) }) { rig in
            let publisher = try await rig.publish("s")
            let name = try await rig.push("s", to: "rtmps://localhost:\(destination.port)/app/key-abcd")
            try await rig.awaitStatus(.connected, of: name)
            try await eventually("media") { destination.now.bytes > 50_000 }
            #expect(try await rig.disconnect(name) == [name])
            try await eventually("goodbye") { destination.now.unpublished == 1 && destination.now.open == 0 }

            let wrong = try await rig.push("s", to: "rtmps://127.0.0.1:\(destination.port)/app/key-abcd")
            try await rig.awaitStatus(.failed, of: wrong)
            let report = try #require(await rig.report(wrong))
            #expect(report.history.last?.failure == .certificateRefused)
            #expect(report.lastError == "the destination's certificate is not for this host name")
            publisher.end()
        }
        await destination.stop()
    }

    @Test("An untrusted certificate is a permanent failure and says so")
    func anUntrustedCertificateIsPermanentAndSaysSo() async throws {
        let folder = try Folder()
        let destination = try await TestDestination.start(tls: TLSTests.certificates(in: folder))
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s")
            let name = try await rig.push("s", to: "rtmps://localhost:\(destination.port)/app/key-abcd")
            try await rig.awaitStatus(.failed, of: name)
            let report = try #require(await rig.report(name))
            #expect(report.history.last?.failure == .certificateRefused)
            #expect(report.lastError?.hasPrefix("the destination's certificate is not trusted") == true)
            #expect(destination.now.published.isEmpty)
            publisher.end()
        }
        await destination.stop()
    }

    @Test("A port without TLS is tried again")
    func aPortWithoutTLSIsTriedAgain() async throws {
        let destination = try await TestDestination.start()
        try await PushRig.open { rig in
            let publisher = try await rig.publish("s")
            let name = try await rig.push("s", to: "rtmps://localhost:\(destination.port)/app/key-abcd")
            try await rig.awaitStatus(.retrying, of: name)
            publisher.end()
        }
        await destination.stop()
    }
}
