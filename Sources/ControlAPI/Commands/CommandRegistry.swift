import Basics

/// Every command of the API by its name.
public enum CommandRegistry {
    struct Entry: Sendable {
        let description: CommandDescription
        /// Reads the fields, and asks what has to be known before.
        let prepare: @Sendable (JSONObject, CommandContext) async throws -> PreparedCommand
    }

    /// A command whose fields are right.
    enum PreparedCommand: Sendable {
        case inStore(StoreEffect)
        case running(@Sendable () async throws -> Reply)
    }

    private static func entry<Kind: Command>(_: Kind.Type) -> Entry {
        let description = Kind.description
        return Entry(description: description) { object, context in
            var fields = Fields(
                object, account: context.account, now: context.environment.now(),
                destinations: context.environment.pushes.kinds)
            let command = Kind(&fields)
            try fields.finish(for: description)
            guard let command else { throw CommandFailure(.fieldInvalid) }
            // Clients send what they have; who mistyped a name is told so.
            let notYet = description.fields.filter { $0.isNotYet && fields.isGiven($0.name) }.map(\.name)
            let ignored = description.hasFixedReply ? [] : description.unknownFields(in: object.members.map(\.name))
            @Sendable func complete(_ reply: Reply) -> Reply {
                guard reply.isSuccess, !notYet.isEmpty || !ignored.isEmpty else { return reply }
                var reply = reply
                if !notYet.isEmpty { reply.payload["not_yet"] = .array(notYet.map { .string($0) }) }
                if !ignored.isEmpty {
                    reply.payload["ignored"] = .array(ignored.prefix(mostIgnored).map { .string($0.cut()) })
                }
                return reply
            }
            guard let command = command as? any StoreCommand else {
                return .running { complete(try await command.run(context)) }
            }
            var effect = try await command.effect(context)
            let carryOut = effect.carryOut
            effect.carryOut = { transaction in
                var outcome = try carryOut(transaction)
                outcome.reply = complete(outcome.reply)
                return outcome
            }
            return .inStore(effect)
        }
    }

    /// Unknown fields that a reply names.
    private static let mostIgnored = 32

    private static let entries: [Entry] = [
        entry(RequestTicket.self), entry(TicketStatus.self), entry(RevokeTicket.self),
        entry(UpdateTicket.self), entry(ListTickets.self), entry(RequestTickets.self),
        entry(ListSessions.self), entry(EndSession.self), entry(ListAttempts.self),
        entry(CountAttempts.self), entry(AddStreamUser.self), entry(ListStreamUsers.self),
        entry(RetrieveStreamUser.self), entry(UpdateStreamUser.self), entry(RemoveStreamUser.self),
        entry(UpdateStream.self),
        entry(ActiveStreams.self), entry(StreamDetails.self), entry(CloseStream.self), entry(AddPush.self),
        entry(UpdatePush.self), entry(RemovePush.self), entry(ListPushes.self), entry(ConnectPush.self),
        entry(DisconnectPush.self), entry(ListApps.self), entry(ServerStatus.self), entry(OriginLog.self),
        entry(LiveViewers.self), entry(DetailedViewers.self), entry(CountViewers.self), entry(ViewerHistory.self),
        entry(UsageSummary.self), entry(UsageData.self), entry(UsageOfAll.self), entry(UsageOfEdge.self),
        entry(UsageOfVideos.self), entry(UsageOfMonth.self), entry(UsageOfQuarter.self), entry(UsageOfServers.self),
        entry(UsedVideos.self), entry(AppNumbers.self), entry(DiskUsage.self),
    ]

    /// Other names of commands, as pages and clients spell them.
    public static let aliases = ["sevu.attempts": "sevu.errorlog"]

    private static let byName = Dictionary(entries.map { ($0.description.name, $0) }) { first, _ in first }

    /// nil when there is no such command.
    public static func description(of name: String) -> CommandDescription? {
        entry(named: name)?.description
    }

    static func entry(named name: String) -> Entry? {
        byName[aliases[name] ?? name]
    }

    /// The failure that answers a command there is none of: it says what may have been meant.
    static func unrecognized(_ name: String) -> CommandFailure {
        let names = entries.map(\.description.name) + aliases.keys.sorted()
        guard let nearest = CommandDescription.nearest(to: name, among: names) else {
            return CommandFailure(.unrecognizedCommand)
        }
        return CommandFailure(
            .unrecognizedCommand, "\(ReplyCode.unrecognizedCommand.message), did you mean \(nearest)?")
    }

    /// In the order of the documentation.
    public static var descriptions: [CommandDescription] {
        entries.map(\.description)
    }

    /// The commands' chapters of the documentation.
    public static var markdown: String {
        descriptions.map { command in
            var lines = ["### `\(command.name)`", "", command.text, ""]
            let kind = command.isMutating ? "Changes something" : "Reads"
            let keys = command.isForTickets ? "`full`, `tickets`" : "`full`"
            lines += ["\(kind). Keys: \(keys)\(command.isMutating ? "" : ", `read`").", ""]
            if !command.fields.isEmpty {
                lines += ["| field | required | meaning |", "| --- | --- | --- |"]
                lines += command.fields.map { field in
                    // A bar would end the cell, also in code.
                    let text = (field.text + (field.isNotYet ? " **Not yet**: kept, and without effect." : ""))
                        .replacing("|", with: "\\|")
                    return "| `\(field.name)` | \(field.isRequired ? "yes" : "") | \(text) |"
                }
                lines.append("")
            }
            lines += ["Reply: \(command.payload)", ""]
            return lines.joined(separator: "\n")
        }.joined(separator: "\n")
    }
}
