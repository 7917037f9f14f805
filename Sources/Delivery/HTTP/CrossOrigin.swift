import HTTPTypes

/// The headers that let scripts of other sites' pages read answers (CORS, Fetch standard §3.2).
struct CrossOrigin: Sendable, Hashable {
    private let allowsAll: Bool
    private let origins: Set<String>

    init(allowedOrigins: [String]) {
        allowsAll = allowedOrigins.contains("*")
        origins = Set(allowedOrigins)
    }

    /// Headers of every answer.
    func apply(to headers: inout HTTPFields, origin: String?) {
        allowOrigin(in: &headers, origin: origin)
        headers[.accessControlExposeHeaders] =
            "Accept-Ranges, Age, Content-Encoding, Content-Length, Content-Range, Date, ETag, Retry-After"
    }

    /// Headers of the answer to a preflight request.
    func applyPreflight(to headers: inout HTTPFields, origin: String?) {
        allowOrigin(in: &headers, origin: origin)
        headers[.accessControlAllowMethods] = "GET, HEAD, OPTIONS"
        headers[.accessControlAllowHeaders] = "If-None-Match, If-Range, Range"
        headers[.accessControlMaxAge] = "86400"
    }

    private func allowOrigin(in headers: inout HTTPFields, origin: String?) {
        guard !allowsAll else {
            headers[.accessControlAllowOrigin] = "*"
            return
        }
        // Caches must not give one origin's answer to another.
        headers.append(HTTPField(name: .vary, value: "Origin"))
        if let origin, origins.contains(origin) {
            headers[.accessControlAllowOrigin] = origin
        }
    }
}
