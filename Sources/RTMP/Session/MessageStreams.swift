/// The message streams (createStream) of one connection: a handful at most, so an array.
struct MessageStreams: Sendable {
    enum State: Sendable, Hashable {
        case idle
        case publishPending
        case publishing
        case playPending
        case playing
        /// Refused: what the client still sends on it is thrown away.
        case refused
    }

    struct Entry: Sendable {
        let id: UInt32
        var state = State.idle
        /// Of the last publish or play.
        var name: StreamName?
        var isReset = false
    }

    private(set) var entries: [Entry] = []

    /// Whether a publish or play waits for its answer.
    private(set) var hasPending = false

    /// Whether nothing is published or played.
    var isIdle: Bool {
        !entries.contains { $0.state == .publishing || $0.state == .playing }
    }

    /// - Returns: the smallest free id from 1, nil when `limit` are open.
    mutating func create(limit: Int) -> UInt32? {
        guard entries.count < limit else { return nil }
        var id: UInt32 = 1
        // At most `limit` steps.
        while index(of: id) != nil { id += 1 }
        entries.append(Entry(id: id))
        return id
    }

    mutating func remove(_ id: UInt32) {
        entries.removeAll { $0.id == id }
        updatePending()
    }

    func index(of id: UInt32) -> Int? {
        entries.firstIndex { $0.id == id }
    }

    /// The stream a message is for. Some encoders leave the id 0: then it is the only stream there is.
    func resolve(_ id: UInt32) -> UInt32? {
        if index(of: id) != nil { return id }
        return id == 0 && entries.count == 1 ? entries.first?.id : nil
    }

    func state(of id: UInt32) -> State? {
        index(of: id).map { entries[$0].state }
    }

    func name(of id: UInt32) -> StreamName? {
        index(of: id).flatMap { entries[$0].name }
    }

    func isReset(_ id: UInt32) -> Bool {
        index(of: id).map { entries[$0].isReset } ?? false
    }

    mutating func set(_ id: UInt32, _ state: State, name: StreamName? = nil, isReset: Bool? = nil) {
        guard let index = index(of: id) else { return }
        entries[index].state = state
        if let name { entries[index].name = name }
        if let isReset { entries[index].isReset = isReset }
        updatePending()
    }

    /// The stream published under a name as the client wrote it, query or not.
    func publishing(named raw: String) -> UInt32? {
        let name = StreamName(raw)
        return entries.first { $0.state == .publishing && ($0.name?.raw == raw || $0.name?.name == name.name) }?.id
    }

    private mutating func updatePending() {
        hasPending = entries.contains { $0.state == .publishPending || $0.state == .playPending }
    }
}
