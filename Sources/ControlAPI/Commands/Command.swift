import Storage

/// One command of the API: its fields typed and validated, and what it does. It knows nothing of HTTP or signatures;
/// the signed API, the command line and the control room run the same commands.
protocol Command: Sendable {
    static var description: CommandDescription { get }
    /// Reads the fields; what is wrong with them is collected in `fields`. nil when there is something wrong.
    init?(_ fields: inout Fields)
    func run(_ context: CommandContext) async throws -> Reply
}

/// What a command is, for the registry and the documentation.
public struct CommandDescription: Sendable {
    public struct Field: Sendable {
        public var name: String
        public var isRequired: Bool
        public var text: String
    }

    public var name: String
    /// Whether it changes anything: a mutating request is run once, whatever its client or a thief repeats.
    public var isMutating: Bool
    /// Whether a `tickets` key may run it.
    public var isForTickets = false
    public var text: String
    public var fields: [Field]
    /// What the reply has besides the envelope.
    public var payload: String

    func allows(_ rights: KeyRights) -> Bool {
        switch rights {
        case .full: true
        case .read: !isMutating
        case .tickets: isForTickets
        }
    }
}

/// What a running command works with.
struct CommandContext: Sendable {
    let environment: ControlEnvironment
    let account: Account

    var store: any Store { environment.store }
}
