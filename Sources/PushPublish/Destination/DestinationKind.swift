import Basics

/// A kind of destination: what it is called, which fields it takes, and how its fields become a destination.
///
/// One file per kind; `DestinationKinds` is the list. Validation happens here and nowhere else, so that a destination that
/// exists can be tried.
public protocol DestinationKind: Sendable {
    /// `service_name` of the API.
    var service: String { get }
    /// The profile's name, from which entry names are made: `rtmp`, `srt` …
    var profile: String { get }
    /// What it takes, in the documented order.
    var fields: [DestinationField] { get }
    /// - Parameter fields: by API name, as given. Fields of other kinds are ignored, empty ones count as not given.
    /// - Throws: everything that is wrong with them at once.
    func destination(from fields: [String: String]) throws(FieldProblems) -> any PushDestination
}

/// A place to push to, checked as far as it can be without a connection.
public protocol PushDestination: Sendable {
    /// The host's name or address: attempts on their way to one host are limited.
    var host: String { get }
    /// For people, without secrets: `rtmp://live.example.com/app/****abcd`.
    var summary: String { get }
    /// What must never be shown, such as a stream key.
    var secrets: [String] { get }
    /// Equal for destinations where one stream would meet the other. Holds secrets; never shown.
    var identity: String { get }
    /// An attempt that has not started yet.
    func makeAttempt(_ context: AttemptContext) -> any PushAttempt
}
