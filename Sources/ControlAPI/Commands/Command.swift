import Storage

/// One command of the API: its fields typed and validated, and what it does. It knows nothing of HTTP or signatures;
/// the signed API, the command line and the control room run the same commands.
protocol Command: Sendable {
    static var description: CommandDescription { get }
    /// Reads the fields; what is wrong with them is collected in `fields`. nil when there is something wrong.
    init?(_ fields: inout Fields)
    func run(_ context: CommandContext) async throws -> Reply
}

/// A command that changes the store and nothing else: its request is claimed, carried out and answered in one transaction.
protocol StoreCommand: Command {
    /// What it will do, after whatever has to be asked or computed before.
    func effect(_ context: CommandContext) async throws -> StoreEffect
}

extension StoreCommand {
    func run(_ context: CommandContext) async throws -> Reply {
        let effect = try await effect(context)
        let outcome = try await context.store.transaction(isRevocation: effect.isRevocation, effect.outcome)
        await outcome.then()
        return outcome.reply
    }
}

/// What a command does inside a transaction.
struct StoreEffect: Sendable {
    struct Outcome: Sendable {
        var reply: Reply
        /// What is to be done once it is durable.
        var then: @Sendable () async -> Void = {}
    }

    /// It may end what runs.
    var isRevocation = false
    /// May be called again from its beginning. It throws a `CommandFailure` before it has changed anything.
    var carryOut: @Sendable (any StoreTransaction) throws -> Outcome

    /// A command's failure is a reply as any.
    @Sendable func outcome(in transaction: any StoreTransaction) throws -> Outcome {
        do {
            return try carryOut(transaction)
        } catch let failure as CommandFailure {
            return Outcome(reply: Reply(failure))
        }
    }
}

/// What a command is, for the registry and the documentation.
public struct CommandDescription: Sendable {
    public struct Field: Sendable {
        public var name: String
        /// Other names of the field, as older clients spell it.
        public var aliases: [String] = []
        public var isRequired: Bool
        public var text: String
        /// It is checked and kept, and nothing comes of it in this version: replies name it in `not_yet`.
        public var isNotYet = false
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
    /// Whether the reply is a document's to the byte, so that nothing is added to it.
    public var hasFixedReply = false

    /// Members that any request may have.
    private static let envelope: Set = ["command", "cdn", "api_key", "timestamp", "signature", "request_id"]

    /// Those of `names` that the command does not know, in the order given.
    public func unknownFields(in names: some Sequence<String>) -> [String] {
        let known = fields.reduce(into: Self.envelope) { $0.formUnion([$1.name] + $1.aliases) }
        return names.filter { !known.contains($0) }
    }

    /// The command's field that somebody most likely meant by `name`.
    public func suggestion(for name: String) -> String? {
        Self.nearest(to: name, among: fields.flatMap { [$0.name] + $0.aliases })
    }

    /// The name that fewest changes of single letters lead to from what was given, at most two or one in three of its letters.
    static func nearest(to given: String, among names: [String]) -> String? {
        // Longer texts are no mistyped names, and the time it takes grows with their length.
        guard given.utf8.count <= 80 else { return nil }
        let wanted = Array(given.lowercased().utf8)
        var best: (name: String, distance: Int)?
        for known in names {
            let distance = Self.distance(wanted, Array(known.utf8))
            let letters = known.utf8.count
            guard distance <= max(letters / 3, min(2, letters / 2)), distance < best?.distance ?? .max else { continue }
            best = (known, distance)
        }
        return best?.name
    }

    /// How many letters have to be put in, taken out or changed to make one text the other (Levenshtein).
    private static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var row = Array(0...other.count)
        for (index, letter) in one.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for place in other.indices {
                let change = diagonal + (other[place] == letter ? 0 : 1)
                diagonal = row[place + 1]
                row[place + 1] = min(change, row[place] + 1, row[place + 1] + 1)
            }
        }
        return row[other.count]
    }

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
    let touched = TouchedObjects()

    var store: any Store { environment.store }
}
