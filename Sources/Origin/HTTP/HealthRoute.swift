import ControlAPI
import Delivery
import HTTPTypes
import Hummingbird

/// `/healthz`: the process is up and answers. `/readyz`: it can do its work, or which part of it cannot. Both `GET` and `HEAD`.
struct HealthRoute: Sendable {
    let readiness: Readiness

    func add(to router: Router<ConnectionRequestContext>) {
        for method in [HTTPRequest.Method.get, .head] {
            router.on("healthz", method: method) { _, _ in
                response(.ok, "text/plain; charset=utf-8", "ok\n", to: method)
            }
            router.on("readyz", method: method) { _, _ in
                let problems = await readiness.problems()
                let isReady = problems.allSatisfy { $0.problem == nil }
                var parts = JSONObject()
                for (part, problem) in problems {
                    parts[part.rawValue] = .object(
                        problem.map { ["status": "ill", "reason": .string($0)] } ?? ["status": "ok"])
                }
                let body: JSONObject = [
                    "status": .string(isReady ? "ready" : "not ready"), "parts": .object(parts),
                ]
                var response = response(
                    isReady ? .ok : .serviceUnavailable, "application/json",
                    String(decoding: JSONWriter.write(body, style: .raw), as: UTF8.self) + "\n", to: method)
                if !isReady { response.headers[.retryAfter] = "2" }
                return response
            }
        }
    }

    private func response(
        _ status: HTTPResponse.Status, _ type: String, _ text: String, to method: HTTPRequest.Method
    ) -> Response {
        let response = Response(
            status: status, headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        return method == .head ? response.createHeadResponse() : response
    }
}
