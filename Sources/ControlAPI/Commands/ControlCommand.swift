import Foundation
import Storage

/// A command: its fields, read and checked, and what it does. It knows nothing of HTTP and signatures.
protocol ControlCommand: Sendable {
    static var definition: CommandDefinition { get }

    /// Reads every field; the caller calls `fields.check()` before it uses the result.
    init(_ fields: inout Fields)

    /// Throws `CommandFailure` for what the client is told; anything else is an unexpected error (code 4).
    func run(in context: CommandContext) async throws -> Reply
}

/// For whom and with what a command runs.
struct CommandContext: Sendable {
    var account: Account
    var now: Date
    var services: ControlServices
}

/// What is known of a command without running it.
public struct CommandDefinition: Sendable {
    /// Such as `sevu.request`.
    public var name: String
    public var aliases: [String] = []
    /// Whether it changes anything: then a request is run once only, and a key with `read` rights may not.
    public var isMutating: Bool
    /// Whether a key with `tickets` rights may.
    public var isForTicketKeys = false
    /// For the documentation, in Markdown.
    public var summary: String
    public var fields: [FieldDocument] = []
    /// The payload, in the order of the reply.
    public var reply: [FieldDocument] = []
    /// The codes of its own, without the common ones.
    public var codes: [ReplyCode]

    public func isAllowed(for rights: KeyRights) -> Bool {
        switch rights {
        case .full: true
        case .read: !isMutating
        case .tickets: isForTicketKeys
        }
    }
}

/// One row of a command's tables in the documentation.
public struct FieldDocument: Sendable {
    public var name: String
    public var type: String
    /// For fields of a request: whether it must be given.
    public var isRequired: Bool
    public var text: String

    init(_ name: String, _ type: String, required isRequired: Bool = false, _ text: String) {
        self.name = name
        self.type = type
        self.isRequired = isRequired
        self.text = text
    }
}
