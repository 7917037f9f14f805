import NIOHTTP1

/// The headers that let scripts of other sites' pages read answers (CORS, Fetch standard §3.2).
struct CrossOrigin: Sendable, Hashable {
    private let allowsAll: Bool
    private let origins: Set<String>

    init(allowedOrigins: [String]) {
        allowsAll = allowedOrigins.contains("*")
        origins = Set(allowedOrigins)
    }

    /// Headers of every answer.
    func apply(to headers: inout HTTPHeaders, origin: String?) {
        allowOrigin(in: &headers, origin: origin)
        headers.add(
            name: "Access-Control-Expose-Headers",
            value: "Accept-Ranges, Age, Content-Encoding, Content-Length, Content-Range, Date, ETag, Retry-After")
    }

    /// Headers of the answer to a preflight request.
    func applyPreflight(to headers: inout HTTPHeaders, origin: String?) {
        allowOrigin(in: &headers, origin: origin)
        headers.add(name: "Access-Control-Allow-Methods", value: "GET, HEAD, OPTIONS")
        headers.add(name: "Access-Control-Allow-Headers", value: "If-None-Match, If-Range, Range")
        headers.add(name: "Access-Control-Max-Age", value: "86400")
    }

    private func allowOrigin(in headers: inout HTTPHeaders, origin: String?) {
        guard !allowsAll else {
            headers.add(name: "Access-Control-Allow-Origin", value: "*")
            return
        }
        // Caches must not give one origin's answer to another.
        headers.add(name: "Vary", value: "Origin")
        if let origin, origins.contains(origin) {
            headers.add(name: "Access-Control-Allow-Origin", value: origin)
        }
    }
}
