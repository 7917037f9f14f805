import Foundation
import Live
import PushPublish
import Storage

extension CommandFailure {
    init(_ error: PushError) {
        switch error {
        case .notFound: self.init(.pushNotFound)
        case .invalid(let problems):
            self = CommandFailure(problems.problems) ?? CommandFailure(.fieldInvalid)
        case .alreadyConnected: self.init(.pushAlreadyConnected, "\(error)")
        case .tooMany, .addressNotAllowed, .draining: self.init(.pushRefused, "\(error)")
        case .storeFailed: self.init(.unexpectedError)
        }
    }
}

/// `pushpublish.connect`: starts a push, stored or not.
struct ConnectPush: Command {
    static let description = CommandDescription(
        name: "pushpublish.connect", isMutating: true,
        text:
            "Starts pushing a stream. Either to a stored destination (`push_service_id`, whose source may "
            + "be overridden), or to the one given here. While the stream is off the air the session waits "
            + "for it.",
        fields: [
            .optional("push_service_id", "A stored destination; or else:"),
            .optional("service_name", "the kind of destination, as in `pushpublish.add`, and its fields."),
        ] + PushFields.descriptions + [
            .optional("app", "The source's application,"), .optional("inst", "instance (`live` by default)"),
            .optional("stream", "and name; required unless the stored destination has them."),
            .optional("entry_name", "What to call the session; else the stored name, else the profile's."),
            .optional("origin_url", "Accepted; this origin answers for itself."),
        ],
        payload: "`entry_name`, by which the session is shown and disconnected.")

    private enum Destination: Sendable {
        case stored(Int64)
        case given(service: String, fields: [String: String])
    }

    private let destination: Destination
    private let app, instance, stream, entryName: String?

    init?(_ fields: inout Fields) {
        let isStored = fields.isGiven("push_service_id")
        let stored = isStored ? fields.requiredInteger("push_service_id", 1...Int.max) : nil
        let service = isStored ? nil : fields.requiredText("service_name", maximum: 64)
        app = fields.ownApp(isRequired: !isStored)
        instance = fields.name("inst", isRequired: false)
        stream = fields.name("stream", isRequired: !isStored)
        entryName = fields.text("entry_name", maximum: 128)
        if let stored {
            destination = .stored(Int64(stored))
        } else if let service {
            let values = PushFields.read(service, &fields)
            PushFields.check(service, values, &fields)
            destination = .given(service: service, fields: values)
        } else {
            return nil
        }
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let pushes = context.environment.pushes
        let accountID = context.account.id
        // A destination that was stored without a source has no instance either.
        var storedInstance: String?
        if case .stored(let id) = destination, instance == nil {
            storedInstance = try await context.store.push(id: id, accountID: accountID)?.instance ?? "live"
        }
        let name: String
        do throws(PushError) {
            switch destination {
            case .stored(let id):
                name = try await pushes.connect(
                    pushServiceID: id, accountID: accountID, app: app, instance: instance ?? storedInstance,
                    stream: stream,
                    entryName: entryName)
            case .given(let service, let fields):
                let source = StreamAddress(app: app ?? "", instance: instance ?? "live", stream: stream ?? "")
                name = try await pushes.connect(
                    PushRequest(
                        accountID: accountID, source: source, service: service, fields: fields, entryName: entryName))
            }
        } catch {
            throw CommandFailure(error)
        }
        return Reply(.pushConnecting, payload: ["entry_name": .string(name)])
    }
}

/// `pushpublish.disconnect`: ends push sessions. Its success reply is the documented one: no code.
struct DisconnectPush: Command {
    static let description = CommandDescription(
        name: "pushpublish.disconnect", isMutating: true,
        text:
            "Ends push sessions, at once and until they are connected again. By `app`, `inst` and "
            + "`entry_name` (`*`: all of the instance), or by `push_service_id`, narrowed by what else is "
            + "given. When both are given, the session of that name is ended; if none runs, the stored "
            + "destination's.",
        fields: [
            .optional("push_service_id", "A stored destination, also one that was removed since; or else:"),
            .optional("app", "the application,"), .optional("inst", "the instance"),
            .optional("stream", "(only narrows `push_service_id`, as `app` and `inst` do)"),
            .optional("entry_name", "and the session's name, or `*`."),
            .optional("origin_url", "Accepted; this origin answers for itself."),
        ],
        payload: "nothing more, and no `code`; the message is `<name> disconnected`.")

    private let id: Int64?
    private let app, instance, stream, entryName: String?

    init?(_ fields: inout Fields) {
        let hasID = fields.isGiven("push_service_id")
        id = hasID ? fields.requiredInteger("push_service_id", 1...Int.max).map { Int64($0) } : nil
        entryName = fields.text("entry_name", maximum: 128)
        stream = fields.name("stream", isRequired: false)
        app = fields.ownApp(isRequired: !hasID)
        instance = fields.name("inst", isRequired: !hasID)
        guard !hasID else { return }
        if !["app", "inst", "entry_name"].contains(where: fields.isGiven) { fields.missing("push_service_id") }
        if !fields.isGiven("entry_name") { fields.missing("entry_name") }
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let pushes = context.environment.pushes
        let accountID = context.account.id
        if let entryName, let app, let instance {
            let ended = await pushes.disconnect(
                entryName: entryName, app: app, instance: instance, accountID: accountID)
            if !ended.isEmpty { return Reply(message: "\(entryName) disconnected") }
        }
        guard let id else {
            throw CommandFailure(.pushNotConnected, "\(entryName ?? EntryName.all) is not connected")
        }
        let ended = await pushes.disconnect(
            pushServiceID: id, accountID: accountID, app: app, instance: instance, stream: stream)
        guard !ended.isEmpty else {
            let stored = try await context.store.push(id: id, accountID: accountID)?.name ?? ""
            let name = entryName ?? (stored.isEmpty ? String(id) : stored)
            throw CommandFailure(.pushNotConnected, "\(name) is not connected")
        }
        return Reply(message: "\(ended.joined(separator: ", ")) disconnected")
    }
}
