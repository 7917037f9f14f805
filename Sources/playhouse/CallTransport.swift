import AsyncHTTPClient
import Basics
import ControlAPI
import Foundation
import NIOCore
import NIOSSL

/// Carries signed texts to the API and the replies back.
struct CallTransport: Sendable {
    /// Replies are lists of at most a thousand rows; what is longer than this is no reply.
    static let maximumReply = 64 << 20

    struct Answer: Sendable {
        var status: UInt
        /// Seconds, when the server says when to come again.
        var retryAfter: Int?
        var body: ByteBuffer
    }

    private let profile: Profile
    private let timeout: TimeAmount
    private let client: HTTPClient

    /// Runs `body` with a way to the profile's server.
    static func open<Value>(
        _ profile: Profile, timeout: Int, _ body: (CallTransport) async throws -> Value
    ) async throws -> Value {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let caFile = profile.caFile { tls.trustRoots = .file(caFile) }
        // A redirect would carry the signed request to a host the profile does not name.
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls, redirectConfiguration: .disallow)
        // What refuses a connection, or has a certificate that is not trusted, does so the next second as well.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(configuration: configuration)
        let transport = CallTransport(profile: profile, timeout: .seconds(Int64(timeout)), client: client)
        do {
            let value = try await body(transport)
            try await client.shutdown()
            return value
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    /// Signs a command and posts it as the form field `field`.
    func call(_ command: String, _ fields: JSONObject, as field: String = "json") async throws -> Answer {
        let text = SignedCall(accountID: profile.accountID, apiKey: profile.apiKey, privateKey: profile.privateKey)
            .text(command: command, fields: fields, now: Date())
        let url = profile.url
        do {
            var request = HTTPClientRequest(url: url)
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(ByteBuffer(string: "\(field)=\(PercentCoding.encode(text))"))
            let response = try await client.execute(request, timeout: timeout)
            return Answer(
                status: response.status.code,
                retryAfter: response.headers.first(name: "Retry-After").flatMap { Int($0) },
                body: try await response.body.collect(upTo: CallTransport.maximumReply))
        } catch {
            throw Failure("\(url) cannot be reached: \(CallTransport.reason(error, profile.caFile))")
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
