import NIOCore

/// What the decoder remembers of one chunk stream: the last header, which later headers refer to, and the message in
/// progress.
struct ChunkStream: Sendable {
    let id: UInt32
    /// The current message's absolute timestamp.
    var timestamp: UInt32 = 0
    /// Added to `timestamp` when a type 3 chunk begins a message.
    var delta: UInt32 = 0
    /// Whether the last type 0-2 header had the extended timestamp field, and its value.
    var extendedTimestamp: UInt32?
    var length = 0
    var type = RTMPMessageType(rawValue: 0)
    var streamID: UInt32 = 0
    /// A header of type 0 or 1 has come.
    var hasHeader = false
    /// A message has begun and is not complete.
    var isPartial = false
    /// Bytes of the message in progress; `body.readableBytes` of `length`.
    var body = ByteBuffer()
}

/// The chunk streams of one connection, found by id. Ids below 64 (all that real peers use) are found by index.
struct ChunkStreamTable: Sendable {
    private(set) var streams: [ChunkStream] = []
    private var low = [Int16](repeating: -1, count: 64)
    private var high: [UInt32: Int] = [:]
    let capacity: Int

    init(capacity: Int) {
        self.capacity = max(1, min(capacity, 32_767))
    }

    func index(of id: UInt32) -> Int? {
        if id < 64 {
            let index = low[Int(id)]
            return index < 0 ? nil : Int(index)
        }
        return high[id]
    }

    /// - Returns: nil when the table is full.
    mutating func indexCreating(_ id: UInt32) -> Int? {
        if let index = index(of: id) { return index }
        guard streams.count < capacity else { return nil }
        let index = streams.count
        streams.append(ChunkStream(id: id))
        if id < 64 {
            low[Int(id)] = Int16(index)
        } else {
            high[id] = index
        }
        return index
    }

    /// `index` must come from `index(of:)` or `indexCreating(_:)`; entries are never removed.
    subscript(index: Int) -> ChunkStream {
        get { streams[index] }
        _modify { yield &streams[index] }
    }
}
