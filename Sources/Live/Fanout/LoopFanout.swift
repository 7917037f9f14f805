import NIOCore

/// The readers of one stream that live on one event loop, and that loop's view of the ring.
///
/// The hub sends each sealed batch once per event loop; here it goes to every reader of the loop with a write that carries
/// no promise, and one flush each.
///
/// `@unchecked Sendable`: the reference travels between hub and loop; everything mutable is touched on `eventLoop` alone.
final class LoopFanout: @unchecked Sendable {
    let eventLoop: any EventLoop
    private let slowTimeout: TimeAmount
    private var ring: WriteRing
    private var readers: [RTMPSubscriber] = []

    init(eventLoop: any EventLoop, ring: WriteRing, slowTimeout: TimeAmount) {
        self.eventLoop = eventLoop
        self.ring = ring
        self.slowTimeout = slowTimeout
    }

    var count: Int { readers.count }

    func add(_ reader: RTMPSubscriber) {
        eventLoop.assertInEventLoop()
        guard !reader.isDetached, reader.slot == nil else { return }
        reader.fanout = self
        reader.slot = readers.count
        readers.append(reader)
        pump(reader, flush: true)
    }

    func remove(_ reader: RTMPSubscriber) {
        eventLoop.assertInEventLoop()
        guard let slot = reader.slot, slot < readers.count, readers[slot] === reader else { return }
        readers.swapAt(slot, readers.count - 1)
        readers.removeLast()
        if slot < readers.count {
            readers[slot].slot = slot
        }
        reader.slot = nil
        reader.fanout = nil
    }

    /// - Parameter oldest: the oldest batch the hub still holds.
    func deliver(_ batch: MergedWrite, oldest: Int64) {
        eventLoop.assertInEventLoop()
        ring.append(batch)
        ring.trim(before: oldest)
        // Backwards, because a reader that is let go takes its place out of the array.
        var index = readers.count - 1
        while index >= 0 {
            if index < readers.count {
                pump(readers[index], flush: true)
            }
            index -= 1
        }
    }

    /// The stream is over: everybody goes.
    func end() {
        eventLoop.assertInEventLoop()
        let leaving = readers
        readers.removeAll()
        ring.removeAll()
        for reader in leaving {
            reader.slot = nil
            reader.fanout = nil
            reader.onEnd?(.streamEnded)
        }
    }

    /// Writes what the reader has not had and its channel can take.
    func pump(_ reader: RTMPSubscriber, flush: Bool) {
        guard !reader.isPaused, reader.slot != nil else { return }
        guard reader.channel.isWritable else {
            noteLag(of: reader)
            return
        }
        var wrote = false
        if let position = reader.position, position < ring.oldestSequence {
            moveForward(reader, from: position)
        }
        if reader.position == nil {
            guard let start = ring.newestStartSequence, let point = ring[start]?.joinPoint else { return }
            write(point.preamble, to: reader)
            reader.position = start
            wrote = true
            reader.onStart?()
        }
        while reader.channel.isWritable, let position = reader.position, let batch = ring[position] {
            write(batch.run, to: reader)
            reader.position = position + 1
            wrote = true
        }
        if wrote, flush {
            reader.channel.flush()
        }
        noteLag(of: reader)
    }

    private func write(_ run: ChunkedMessages, to reader: RTMPSubscriber) {
        let bytes = run.bytes(messageStreamID: reader.messageStreamID, filter: reader.filter)
        reader.statistics.bytes += Int64(bytes.readableBytes)
        reader.channel.write(bytes, promise: nil)
    }

    /// What it missed is gone from the ring: it goes on from the newest keyframe, never from a picture that refers to lost ones.
    private func moveForward(_ reader: RTMPSubscriber, from position: Int64) {
        reader.statistics.skips += 1
        reader.position = nil
        let resumed = ring.newestStartSequence ?? ring.nextSequence
        // The frames that are gone can no longer be counted; those still held that it skips can.
        var sequence = max(position, ring.oldestSequence)
        while sequence < resumed, let batch = ring[sequence] {
            reader.statistics.droppedFrames += batch.videoFrames
            sequence += 1
        }
    }

    private func noteLag(of reader: RTMPSubscriber) {
        guard let position = reader.position, position < ring.nextSequence else {
            reader.behindSince = nil
            return
        }
        let now = NIODeadline.now()
        guard let since = reader.behindSince else {
            reader.behindSince = now
            return
        }
        if now - since > slowTimeout {
            remove(reader)
            reader.onEnd?(.tooSlow)
        }
    }
}
