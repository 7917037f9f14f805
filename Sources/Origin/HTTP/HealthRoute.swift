import Delivery
import HTTPTypes
import Hummingbird

/// `GET /healthz`, and `HEAD`: the process is up and answers.
enum HealthRoute {
    static func add(to router: Router<ConnectionRequestContext>) {
        for method in [HTTPRequest.Method.get, .head] {
            router.on("healthz", method: method) { _, _ in
                let response = Response(
                    status: .ok, headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: "ok\n")))
                return method == .head ? response.createHeadResponse() : response
            }
        }
    }
}
