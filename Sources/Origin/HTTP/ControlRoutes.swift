import Basics
import ControlAPI
import Delivery
import HTTPTypes
import Hummingbird
import NIOCore

/// The signed API over HTTP: `POST /stable/` and its other spellings.
///
/// A request that misses it gets a reply of the API all the same: clients of this kind of API show the failure of a reply and
/// take an empty body for a network that does not work.
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
                try await answer(request, context)
            }
            for method in [HTTPRequest.Method.get, .head, .put, .delete, .patch, .options] {
                router.on(path, method: method) { request, _ in
                    var response = refusal(405, "The API takes POST, not \(request.method.rawValue.prefix(16)).")
                    response.headers[.allow] = "POST"
                    return method == .head ? response.createHeadResponse() : response
                }
            }
        }
    }

    /// What `base` answers, but for a POST that no route is for, which was meant for the API.
    func answeringMisses(
        of base: some HTTPResponder<ConnectionRequestContext>
    ) -> CallbackResponder<ConnectionRequestContext> {
        CallbackResponder { request, context in
            let response = try await base.respond(to: request, context: context)
            guard request.method == .post, response.status == .notFound else { return response }
            return refusal(404, "There is no API at \(request.uri.path.prefix(256)); it is at /stable/.")
        }
    }

    private func answer(_ request: Request, _ context: ConnectionRequestContext) async throws -> Response {
        // What is announced too large is not waited for.
        if let announced = request.headers[.contentLength], Int64(announced).map({ $0 > maximumBody }) ?? true {
            return tooLarge
        }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: maximumBody)
        } catch is NIOTooManyBytesError {
            return tooLarge
        }
        let address = ClientAddress.resolve(
            peer: context.remoteAddress?.ipAddress.flatMap { IPAddress($0) },
            forwardedFor: request.headers[values: .xForwardedFor], trusted: trustedProxies)
        let reply = await service.handle(
            contentType: request.headers[.contentType], body: Array(body.readableBytesView),
            address: address.map { "\($0)" } ?? "unknown")
        return response(reply)
    }

    private var tooLarge: Response {
        var response = refusal(413, "The body is larger than \(maximumBody) bytes.")
        response.headers[.connection] = "close"
        return response
    }

    private func refusal(_ status: Int, _ sentence: String) -> Response {
        response(service.refusal(status: status, sentence))
    }

    private func response(_ reply: ControlResponse) -> Response {
        var headers: HTTPFields = [.contentType: reply.contentType, .cacheControl: "no-store"]
        if let seconds = reply.retryAfter { headers[.retryAfter] = String(seconds) }
        return Response(
            status: HTTPResponse.Status(code: reply.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: reply.body)))
    }
}
