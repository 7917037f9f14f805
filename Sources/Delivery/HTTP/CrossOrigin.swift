/// The headers that let scripts of other sites' pages read answers (CORS, Fetch standard §3.2).
struct CrossOrigin: Sendable, Hashable {
    let allowsAll: Bool
    private let origins: Set<String>

    static let all = CrossOrigin(allowedOrigins: ["*"])

    init(allowedOrigins: [String]) {
        allowsAll = allowedOrigins.contains("*")
        origins = Set(allowedOrigins)
    }

    /// Headers of every answer.
    func apply(to reply: inout PlaybackReply, origin: String?) {
        allowOrigin(in: &reply, origin: origin)
        reply.add(
            "Access-Control-Expose-Headers",
            "Accept-Ranges, Age, Content-Encoding, Content-Length, Content-Range, Date, ETag, Retry-After")
    }

    /// Headers of the answer to a preflight request.
    func applyPreflight(to reply: inout PlaybackReply, origin: String?) {
        allowOrigin(in: &reply, origin: origin)
        reply.add("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
        reply.add("Access-Control-Allow-Headers", "If-None-Match, If-Range, Range")
        reply.add("Access-Control-Max-Age", "86400")
    }

    private func allowOrigin(in reply: inout PlaybackReply, origin: String?) {
        guard !allowsAll else {
            reply.add("Access-Control-Allow-Origin", "*")
            return
        }
        // Caches must not give one origin's answer to another.
        reply.add("Vary", "Origin")
        if let origin, origins.contains(origin) {
            reply.add("Access-Control-Allow-Origin", origin)
        }
    }
}
