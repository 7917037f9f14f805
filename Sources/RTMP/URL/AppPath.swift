import Basics

/// The application a client connects to, taken apart: `app/inst?user=&pass=`.
public struct AppPath: Sendable, Hashable {
    /// The first part of the path.
    public var app: String
    /// Everything after the first `/`; nil when there is none (or the default instance `_definst_`).
    public var instance: String?
    public var parameters: RTMPParameters

    /// - Parameter text: `connect`'s `app`, with or without a query. Slashes at its beginning and end, which ffmpeg and
    ///   hardware encoders leave there, are dropped, and the path is percent-decoded.
    public init(_ text: String) {
        let (path, query) = RTMPParameters.split(text)
        parameters = RTMPParameters(query: query ?? "")
        var parts = path.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: true)[...]
        app = PercentCoding.lenientText(of: (parts.popFirst() ?? "").utf8)
        var rest = parts.popFirst() ?? ""
        while rest.hasSuffix("/") { rest.removeLast() }
        while rest.hasPrefix("/") { rest.removeFirst() }
        instance = rest.isEmpty || rest == "_definst_" ? nil : PercentCoding.lenientText(of: rest.utf8)
    }
}

/// The name of a stream that is published or played, taken apart: `name?user=&pass=`, perhaps behind a prefix that Flash uses
/// for files.
public struct StreamName: Sendable, Hashable {
    /// The name without query and prefix. Slashes inside it stay: `folder/file`.
    public var name: String
    /// The prefix: `mp4` of `mp4:folder/file`. nil when there is none of those that are known.
    public var prefix: String?
    public var parameters: RTMPParameters
    /// The text as received, with prefix and query.
    public var raw: String

    /// - Parameter text: the argument of `publish` or `play`. The name is percent-decoded.
    public init(_ text: String) {
        raw = text
        let (path, query) = RTMPParameters.split(text)
        parameters = RTMPParameters(query: query ?? "")
        var name = path[...]
        prefix = nil
        for known in ["mp4", "flv", "mp3", "smil", "raw", "f4v"] where name.hasPrefix(known + ":") {
            prefix = known
            name = name.dropFirst(known.count + 1)
            break
        }
        self.name = PercentCoding.lenientText(of: name.utf8)
    }
}
