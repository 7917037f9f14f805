import Basics
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
    private static let id = StoredPushFields.id.saying("A stored destination; or else:")
    private static let service = StoredPushFields.service.saying(
        "the kind of destination, as in `pushpublish.add`, and its fields.")
    private static let app = StoredPushFields.app
    private static let instance = StoredPushFields.instance
    private static let stream = StreamFields.stream.saying(
        "and name; required unless the stored destination has them.")
    private static let entryName = CommandField.optional(
        "entry_name", .text(maximum: 128), "What to call the session; else the stored name, else the profile's.")

    static let description = CommandDescription(
        name: "pushpublish.connect", isMutating: true,
        text:
            "Starts pushing a stream. Either to a stored destination (`push_service_id`, whose source may "
            + "be overridden), or to the one given here. While the stream is off the air the session waits "
            + "for it.",
        fields: .list(id, service) + PushFields.descriptions
            + .list(app, instance, stream, entryName, StreamFields.origin),
        payload: "`entry_name`, by which the session is shown and disconnected.")

    private enum Destination: Sendable {
        case stored(Int64)
        case given(service: String, fields: [String: String])
    }

    private let destination: Destination
    private let app, instance, stream, entryName: String?

    init?(_ fields: inout Fields) {
        let isStored = fields.isGiven(Self.id)
        let stored = isStored ? fields.read(Self.id) : nil
        let service = isStored ? nil : fields.read(Self.service, isRequired: true)
        app = fields.read(Self.app, isRequired: !isStored)
        instance = fields.read(Self.instance)
        stream = fields.read(Self.stream, isRequired: !isStored)
        entryName = fields.read(Self.entryName)
        if let stored {
            destination = .stored(stored)
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
        var stored: PushService?
        if case .stored(let id) = destination {
            stored = try await context.store.push(id: id, accountID: accountID)
        }
        // A destination that was stored without a source has no instance either.
        let instance = instance ?? stored?.instance ?? "live"
        let source = (app: app ?? stored?.app ?? "", instance: instance)
        let name: String
        do throws(PushError) {
            switch destination {
            case .stored(let id):
                name = try await pushes.connect(
                    pushServiceID: id, accountID: accountID, app: app, instance: instance, stream: stream,
                    entryName: entryName)
            case .given(let service, let fields):
                let source = StreamAddress(app: app ?? "", instance: instance, stream: stream ?? "")
                name = try await pushes.connect(
                    PushRequest(
                        accountID: accountID, source: source, service: service, fields: fields, entryName: entryName))
            }
        } catch {
            context.touched.concern(.pushSessions(app: source.app, instance: source.instance))
            if let stored { context.touched.concern(.push(stored.id), .pushSessionsOf(stored.id)) }
            throw CommandFailure(error)
        }
        context.touched.concern(.pushSession(app: source.app, instance: source.instance, entryName: name))
        context.touched.change(
            PushSessionName(
                app: source.app, instance: source.instance, entryName: name, pushServiceID: stored?.id))
        return Reply(.pushConnecting, payload: ["entry_name": .string(name)])
    }
}

/// `pushpublish.disconnect`: ends push sessions. Its success reply is the documented one: no code.
struct DisconnectPush: Command {
    private static let id = StoredPushFields.id.saying(
        "A stored destination, also one that was removed since; or else:")
    private static let app = StreamFields.app.saying("the application,")
    private static let instance = StreamFields.instance.saying("the instance")
    private static let stream = StreamFields.stream.saying(
        "(narrows `push_service_id`, as `app` and `inst` do, and `*`)")
    private static let entryName = CommandField.optional(
        "entry_name", .text(maximum: 128), "and the session's name, or `*`.")

    static let description = CommandDescription(
        name: "pushpublish.disconnect", isMutating: true,
        text:
            "Ends push sessions, at once and until they are connected again. By `app`, `inst` and "
            + "`entry_name` (`*`: all of the instance, or of `stream` where that is given), or by `push_service_id`, narrowed by what else is "
            + "given. When both are given, the session of that name is ended; if none runs, the stored "
            + "destination's.",
        fields: .list(id, app, instance, stream, entryName, StreamFields.origin),
        payload: "nothing more, and no `code`; the message is `<name> disconnected`.", hasFixedReply: true)

    private let id: Int64?
    private let app, instance, stream, entryName: String?

    init?(_ fields: inout Fields) {
        let hasID = fields.isGiven(Self.id)
        id = hasID ? fields.read(Self.id) : nil
        entryName = fields.read(Self.entryName)
        stream = fields.read(Self.stream)
        app = fields.read(Self.app, isRequired: !hasID)
        instance = fields.read(Self.instance, isRequired: !hasID)
        guard !hasID else { return }
        if !fields.isGiven(Self.app), !fields.isGiven(Self.instance), !fields.isGiven(Self.entryName) {
            fields.missing(Self.id)
        }
        if !fields.isGiven(Self.entryName) { fields.missing(Self.entryName) }
    }

    func run(_ context: CommandContext) async throws -> Reply {
        let pushes = context.environment.pushes
        let accountID = context.account.id
        if let entryName, let app, let instance {
            context.touched.concern(
                entryName == EntryName.all
                    ? .pushSessions(app: app, instance: instance)
                    : .pushSession(app: app, instance: instance, entryName: entryName))
            // A name stands for one session of the instance, whatever its stream.
            let ended = await pushes.disconnect(
                entryName: entryName, app: app, instance: instance,
                stream: entryName == EntryName.all ? stream : nil, accountID: accountID)
            for session in ended { context.touched.change(session) }
            if !ended.isEmpty { return Reply(message: "\(entryName) disconnected") }
        }
        guard let id else {
            throw CommandFailure(.pushNotConnected, "\(entryName ?? EntryName.all) is not connected")
        }
        context.touched.concern(.pushSessionsOf(id))
        let ended = await pushes.disconnect(
            pushServiceID: id, accountID: accountID, app: app, instance: instance, stream: stream)
        for session in ended { context.touched.change(session) }
        guard !ended.isEmpty else {
            let stored = try await context.store.push(id: id, accountID: accountID)?.name ?? ""
            let name = entryName ?? (stored.isEmpty ? String(id) : stored)
            throw CommandFailure(.pushNotConnected, "\(name) is not connected")
        }
        return Reply(message: "\(ended.map(\.entryName).joined(separator: ", ")) disconnected")
    }
}
