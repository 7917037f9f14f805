import Basics
import ControlAPI
import Delivery
import HTTPTypes
import Hummingbird
import NIOCore
import Usher

/// The signed API over HTTP: `POST /stable/` and its other spellings.
struct ControlRoutes: Sendable {
    let service: ControlService
    let trustedProxies: [IPNetwork]
    /// `limits.body`.
    let maximumBody: Int

    private static let paths: [RouterPath] = ["stable", "dev"]

    func add(to router: Router<ConnectionRequestContext>) {
        // A trailing slash makes no other path for the router.
        for path in ControlRoutes.paths {
            router.post(path) { request, context in
                await answer(request, context)
            }
            for method in [HTTPRequest.Method.get, .head, .put, .delete, .patch, .options] {
                router.on(path, method: method) { _, _ in
                    Response(status: .methodNotAllowed, headers: [.allow: "POST"])
                }
            }
        }
    }

    private func answer(_ request: Request, _ context: ConnectionRequestContext) async -> Response {
        let address = ClientAddress.resolve(
            peer: context.remoteAddress?.ipAddress.flatMap { IPAddress($0) },
            forwardedFor: request.headers[values: HTTPField.Name("X-Forwarded-For") ?? .via], trusted: trustedProxies)
        // What is announced too large is not waited for.
        if let announced = request.headers[.contentLength], Int64(announced).map({ $0 > maximumBody }) ?? true {
            return tooLarge
        }
        var body = ByteBuffer()
        do {
            body = try await request.body.collect(upTo: maximumBody)
        } catch {
            // Too large, or broken off: only the first has anybody left to read the answer.
            return tooLarge
        }
        let reply = await service.handle(
            contentType: request.headers[.contentType], body: Array(body.readableBytesView),
            address: address.map { "\($0)" } ?? "unknown")
        var headers: HTTPFields = [.contentType: reply.contentType, .cacheControl: "no-store"]
        if let seconds = reply.retryAfter { headers[.retryAfter] = String(seconds) }
        return Response(
            status: HTTPResponse.Status(code: reply.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: reply.body)))
    }

    private var tooLarge: Response {
        Response(status: .contentTooLarge, headers: [.connection: "close"])
    }
}
