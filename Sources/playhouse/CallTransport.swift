import AsyncHTTPClient
import Basics
import Foundation
import NIOCore
import NIOSSL

/// Carries a signed text to the API and the reply back.
enum CallTransport {
    /// Replies are lists of at most a thousand rows; what is longer than this is no reply.
    static let maximumReply = 64 << 20

    /// Posts `text` as the form field `field`.
    /// - Parameter caFile: the certificates that the server's has to be signed by; nil: those that this machine trusts.
    static func post(
        _ text: String, as field: String, to url: String, caFile: String?, timeout: TimeAmount
    ) async throws -> (status: UInt, body: String) {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let caFile { tls.trustRoots = .file(caFile) }
        // A redirect would carry the signed request to a host the profile does not name.
        let client = HTTPClient(configuration: .init(tlsConfiguration: tls, redirectConfiguration: .disallow))
        do {
            var request = HTTPClientRequest(url: url)
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(ByteBuffer(string: "\(field)=\(PercentCoding.encode(text))"))
            let response = try await client.execute(request, timeout: timeout)
            let body = try await response.body.collect(upTo: maximumReply)
            try await client.shutdown()
            return (response.status.code, String(buffer: body))
        } catch {
            try? await client.shutdown()
            throw Failure("\(url) cannot be reached: \(reason(error, caFile))")
        }
    }

    private static func reason(_ error: any Error, _ caFile: String?) -> String {
        switch error {
        case let error as IOError where error.errnoCode == ECONNREFUSED:
            "nothing listens there; is `playhouse serve` running?"
        case let error as HTTPClientError: error.shortDescription
        // The library's errors of TLS carry the build's paths.
        case _ where "\(type(of: error))".contains("SSL"):
            """
            no TLS connection: the certificate is not \
            \(caFile.map { "signed by one in \($0)" } ?? "trusted by this machine (ca_file in the profile names others)"), \
            or not for this host, or the server does not speak TLS
            """
        default: SystemError.text(of: error)
        }
    }
}
