/// What HTTP answers a control request with.
public struct ControlResponse: Sendable, Hashable {
    /// 200 with success or failure in the body, as every known client expects; 404, 405, 413 and 429 are the exceptions.
    public var status: Int
    public var contentType: String
    /// Seconds, for `Retry-After`.
    public var retryAfter: Int?
    public var body: [UInt8]
}
