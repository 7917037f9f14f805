import Delivery
import HTTPTypes
import Hummingbird

/// `GET /healthz`: the process is up and answers.
enum HealthRoute {
    static func add(to router: Router<ConnectionRequestContext>) {
        router.get("healthz") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: "ok\n")))
        }
    }
}
