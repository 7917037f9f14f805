import Media

/// What a stream keeps for RTMP subscribers that are there or may come.
///
/// While there are none it keeps the samples of the newest GOP as they came, and chunks nothing: the first subscriber has
/// them chunked. While there are some, samples are gathered into merged writes and kept in the ring.
struct Backlog {
    /// A write is sealed when it holds this much, whatever the clock says.
    static let mostWriteBytes = 256 << 10
    /// Nor are more messages than this gathered: small ones cost more than their bytes.
    static let mostWriteMessages = 512

    private(set) var ring: WriteRing
    /// There are subscribers, or there were since the newest join point.
    private var isChunking = false
    private var subscribers = 0
    /// Chunking: since the last merged write. Else: since the newest join point.
    private var samples: [StreamSample] = []
    private var sampleBytes = 0
    /// What is in force at the first of `samples`; nil when nobody may start there.
    private var headers: JoinHeaders?

    init(limits: WriteRing.Limits) {
        ring = WriteRing(limits: limits)
    }

    /// What it holds, by capacity.
    var heldBytes: Int { ring.heldBytes + sampleBytes }

    var hasPending: Bool { isChunking && !samples.isEmpty }

    /// Whether a subscriber that comes now has something to start on.
    var canJoin: Bool {
        isChunking ? ring.newestJoinSequence != nil || headers != nil : headers != nil && !samples.isEmpty
    }

    /// Takes the next sample.
    /// - Parameters:
    ///   - headers: what is in force, when a subscriber may start with this sample.
    ///   - pressure: at `viewers`, nothing is kept for subscribers that may never come.
    /// - Returns: the write that this one has finished.
    mutating func append(_ sample: StreamSample, joinHeaders: JoinHeaders?, pressure: MemoryBudget.Pressure)
        -> MergedWrite?
    {
        if isChunking, subscribers <= 0, joinHeaders != nil { stopChunking() }
        guard isChunking else {
            keep(sample, joinHeaders: joinHeaders, pressure: pressure)
            return nil
        }
        var finished: MergedWrite?
        if sample.isVideoKeyframe || sampleBytes > Backlog.mostWriteBytes || samples.count >= Backlog.mostWriteMessages
        {
            finished = seal(pressure: pressure)
        }
        if samples.isEmpty { headers = joinHeaders }
        add(sample)
        return finished
    }

    /// Makes what is gathered into one merged write, and drops what the ring may keep no longer.
    mutating func seal(pressure: MemoryBudget.Pressure) -> MergedWrite? {
        guard isChunking, !samples.isEmpty else { return nil }
        let write = makeWrite(samples[...], headers: headers)
        clearSamples()
        ring.append(write)
        if pressure >= .rings, let newest = ring.newestJoinSequence {
            ring.trim(before: newest)
        }
        return write
    }

    /// A subscriber comes. The first has what is kept chunked.
    mutating func subscribe() {
        subscribers += 1
        guard subscribers > 0, !isChunking else { return }
        isChunking = true
        var rest = samples[...]
        var first = headers
        clearSamples()
        while !rest.isEmpty {
            var bytes = 0
            let count = rest.prefix { sample in
                defer { bytes += sample.heldBytes }
                return bytes <= Backlog.mostWriteBytes
            }.count
            let part = rest.prefix(max(1, min(count, Backlog.mostWriteMessages)))
            ring.append(makeWrite(part, headers: first))
            first = nil
            rest = rest.dropFirst(part.count)
        }
    }

    /// A subscriber goes. After the last one chunking stops at the next join point.
    mutating func unsubscribe() {
        subscribers -= 1
    }

    mutating func removeAll() {
        clearSamples()
        ring.removeAll()
    }

    private mutating func stopChunking() {
        isChunking = false
        removeAll()
    }

    private mutating func keep(_ sample: StreamSample, joinHeaders: JoinHeaders?, pressure: MemoryBudget.Pressure) {
        if let joinHeaders {
            clearSamples()
            headers = joinHeaders
        }
        guard headers != nil else { return }
        guard pressure < .viewers, sampleBytes <= ring.limits.bytes else {
            // One GOP is too much: new viewers wait for the next keyframe.
            clearSamples()
            return
        }
        add(sample)
    }

    private mutating func add(_ sample: StreamSample) {
        samples.append(sample)
        sampleBytes += sample.heldBytes
    }

    private mutating func clearSamples() {
        samples.removeAll(keepingCapacity: isChunking)
        sampleBytes = 0
        headers = nil
    }

    private func makeWrite(_ samples: ArraySlice<StreamSample>, headers: JoinHeaders?) -> MergedWrite {
        // The last sample may be an earlier one than its neighbour (audio and video interleave); times only rank writes.
        let firstTime = samples.first?.time ?? .zero
        return MergedWrite(
            sequence: ring.nextSequence, messages: ChunkedMessages(samples), firstTime: firstTime,
            lastTime: samples.last?.time ?? firstTime, videoFrames: samples.count(where: \.isVideoFrame),
            joinPoint: headers.map { JoinPoint($0, at: firstTime) })
    }
}
