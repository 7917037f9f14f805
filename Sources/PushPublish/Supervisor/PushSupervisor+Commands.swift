import Basics
import Live
import Storage

extension PushSupervisor {
    /// Starts a stored push; the store is read now, so that changes since the last connect hold.
    ///
    /// When it runs from that source already: a session that is `Retrying` or `Failed` is replaced by one with the
    /// settings as they are now, under the same name, which tries at once; any other makes `alreadyConnected`.
    /// - Parameters:
    ///   - app, instance, stream: override the stored source; what neither gives is a missing field.
    ///   - entryName: nil: the stored push's name, else the profile's.
    /// - Returns: the session's entry name.
    public func connect(
        pushServiceID: Int64, accountID: AccountID, app: String? = nil, instance: String? = nil, stream: String? = nil,
        entryName: String? = nil
    ) async throws(PushError) -> String {
        let row: PushService?
        do {
            row = try await store.push(id: pushServiceID, accountID: accountID)
        } catch {
            throw .storeFailed("\(error)")
        }
        guard let row else { throw .notFound(pushServiceID) }
        let parts = [("app", app ?? row.app), ("inst", instance ?? row.instance), ("stream", stream ?? row.stream)]
        let missing = parts.filter { $0.1 == nil }.map { FieldProblem.missing($0.0) }
        guard missing.isEmpty, let app = parts[0].1, let instance = parts[1].1, let stream = parts[2].1 else {
            throw .invalid(FieldProblems(missing))
        }
        let source = StreamAddress(app: app, instance: instance, stream: stream)
        return try connect(row, source: source, entryName: entryName, endsWithSource: false)
    }

    /// Starts a push that is not stored. Without its stream on air it waits for it.
    ///
    /// A running session from the same source to the same destination is treated as for a stored push.
    /// - Returns: the session's entry name.
    public func connect(_ request: PushRequest) throws(PushError) -> String {
        try connect(
            accountID: request.accountID, source: request.source, service: request.service, fields: request.fields,
            pushServiceID: nil, name: request.entryName, isNameGiven: request.entryName != nil, endsWithSource: false)
    }

    func connect(_ row: PushService, source: StreamAddress, entryName: String?, endsWithSource: Bool)
        throws(PushError) -> String
    {
        try connect(
            accountID: row.accountID, source: source, service: row.service, fields: row.destination,
            pushServiceID: row.id,
            name: entryName ?? row.name, isNameGiven: entryName != nil, endsWithSource: endsWithSource)
    }

    private func connect(
        accountID: AccountID, source: StreamAddress, service: String, fields: [String: String], pushServiceID: Int64?,
        name: String?, isNameGiven: Bool, endsWithSource: Bool
    ) throws(PushError) -> String {
        guard !isDraining else { throw .draining }
        let wrong = [("app", source.app), ("inst", source.instance), ("stream", source.stream)]
            .filter { !StreamAddress.isValidName($0.1) }
            .map { FieldProblem.invalid($0.0, expected: "must be made of letters, digits, - _ . and ~") }
        guard wrong.isEmpty else { throw .invalid(FieldProblems(wrong)) }
        let profile: String
        let destination: any PushDestination
        do throws(FieldProblems) {
            profile = try kinds.kind(service).profile
            destination = try kinds.destination(service: service, fields: fields)
        } catch {
            throw .invalid(error)
        }
        let name = name ?? ""
        if isNameGiven, !EntryName.isValid(name) {
            throw .invalid(
                FieldProblems([
                    .invalid("entry_name", expected: "must be 1 to 128 printable characters and not *")
                ]))
        }

        var wanted = EntryName.isValid(name) ? name : profile
        var endsWithSource = endsWithSource
        let same = sessions.values.first { session in
            session.order.accountID == accountID && session.order.source == source
                && (session.order.destination.identity == destination.identity
                    || (pushServiceID != nil && session.order.pushServiceID == pushServiceID))
        }
        if let same {
            switch same.machine.status {
            case .retrying, .failed:
                if !isNameGiven { wanted = same.order.entryName }
                endsWithSource = same.order.endsWithSource
                handle(.stop(.replaced), same)
            case .waiting, .connecting, .connected, .disconnected:
                throw .alreadyConnected(entryName: same.order.entryName)
            }
        }
        guard sessions.values.count(where: { $0.order.accountID == accountID }) < configuration.maxPerAccount else {
            throw .tooMany(limit: configuration.maxPerAccount)
        }
        let taken = sessions.values.filter {
            $0.order.source.app == source.app && $0.order.source.instance == source.instance
        }.map(\.order.entryName)
        let entryName = EntryName.free(wanted, taken: Set(taken))
        let order = PushSession.Order(
            accountID: accountID, source: source, entryName: entryName, service: service, profile: profile,
            pushServiceID: pushServiceID, destination: destination, endsWithSource: endsWithSource)
        _ = begin(order)
        return entryName
    }

    /// Ends the sessions of a stored push, also of one that was removed since; narrowed by what is given of its source.
    ///
    /// Returns when their media has stopped, within a tenth of a second whatever they are doing; they do not come back
    /// until connected again or, for `autopush`, until the next publish.
    /// - Returns: their entry names; empty when none ran.
    public func disconnect(
        pushServiceID: Int64, accountID: AccountID, app: String? = nil, instance: String? = nil, stream: String? = nil
    ) async -> [String] {
        await disconnect { order in
            order.pushServiceID == pushServiceID && order.accountID == accountID
                && (app == nil || order.source.app == app) && (instance == nil || order.source.instance == instance)
                && (stream == nil || order.source.stream == stream)
        }
    }

    /// Ends the session of that name on an app and instance; `*` ends all of them. As `disconnect(pushServiceID:…)`.
    public func disconnect(entryName: String, app: String, instance: String, accountID: AccountID) async -> [String] {
        await disconnect { order in
            order.accountID == accountID && order.source.app == app && order.source.instance == instance
                && (entryName == EntryName.all || order.entryName == entryName)
        }
    }

    private func disconnect(where isMeant: (PushSession.Order) -> Bool) async -> [String] {
        let meant = sessions.values.filter { isMeant($0.order) }
        await end(meant, .disconnected)
        return meant.map(\.order.entryName).sorted()
    }

    /// The account's sessions, narrowed by what is given of their source, by source and entry name.
    public func statuses(accountID: AccountID, app: String? = nil, instance: String? = nil, stream: String? = nil) async
        -> [PushReport]
    {
        let meant = sessions.values.filter { session in
            let order = session.order
            return order.accountID == accountID && (app == nil || order.source.app == app)
                && (instance == nil || order.source.instance == instance)
                && (stream == nil || order.source.stream == stream)
        }
        var reports: [PushReport] = []
        for session in meant {
            let current = await session.attempt?.client.counters() ?? PushCounters()
            reports.append(session.report(current: current))
        }
        return reports.sorted {
            ($0.source.description, $0.entryName) < ($1.source.description, $1.entryName)
        }
    }
}
