import Media
import NIOCore

extension StreamHub {
    /// Chunks what is pending into one batch, keeps it in the ring and gives it to the readers of every event loop.
    func seal() {
        guard !pending.isEmpty, let first = pending.first, let last = pending.last else { return }
        tick?.cancel()
        tick = nil
        // The last message may be an earlier one than its neighbour (audio and video interleave); times only rank batches.
        var run = ChunkedMessages(capacity: pendingBytes + pending.count * 32, messages: pending.count)
        var pictures = 0
        for message in pending {
            run.append(message)
            if message.isPicture { pictures += 1 }
        }
        var joinPoint: JoinPoint?
        if first.isVideoKeyframe || !hasVideo {
            joinPoint = JoinPoint(metadata: metadata, video: videoHeader, audio: audioHeader, at: first.timestamp)
        }
        let batch = MergedWrite(
            sequence: ring.nextSequence, run: run, firstTime: first.timestamp, lastTime: last.timestamp,
            videoFrames: pictures, joinPoint: joinPoint)
        pending.removeAll(keepingCapacity: true)
        pendingBytes = 0
        ring.append(batch)
        if memory.isExceeded, let start = ring.newestStartSequence {
            // Over the ceiling every stream keeps only its newest GOP.
            ring.trim(before: start)
        }
        memory.change(by: ring.byteCount - heldBytes)
        heldBytes = ring.byteCount

        let oldest = ring.oldestSequence
        for fanout in fanouts.values {
            if fanout.eventLoop === eventLoop {
                fanout.deliver(batch, oldest: oldest)
            } else {
                fanout.eventLoop.execute { fanout.deliver(batch, oldest: oldest) }
            }
        }
    }

    /// Adds a reader; it starts on the newest keyframe held, or on the next one to come.
    /// - Returns: false when the stream is not on air.
    public func attach(_ reader: RTMPSubscriber) async -> Bool {
        let attached = try? await eventLoop.submit { self.add(reader) }.get()
        return attached ?? false
    }

    func add(_ reader: RTMPSubscriber) -> Bool {
        guard isOnAir else { return false }
        count(reader.role, by: 1)
        let loop = reader.channel.eventLoop
        let fanout: LoopFanout
        if let existing = fanouts[ObjectIdentifier(loop)] {
            fanout = existing
        } else {
            fanout = LoopFanout(
                eventLoop: loop, ring: ring, slowTimeout: TimeAmount(settings.slowViewerTimeout))
            fanouts[ObjectIdentifier(loop)] = fanout
        }
        if loop === eventLoop {
            fanout.add(reader)
        } else {
            loop.execute { fanout.add(reader) }
        }
        return true
    }

    /// Takes a reader off the stream. Called by its owner, once for each successful `attach`, on the reader's event loop.
    public func detach(_ reader: RTMPSubscriber) {
        reader.channel.eventLoop.assertInEventLoop()
        guard !reader.isDetached else { return }
        reader.isDetached = true
        reader.fanout?.remove(reader)
        let role = reader.role
        onLoop { self.count(role, by: -1) }
    }

    private func count(_ role: RTMPSubscriber.Role, by change: Int) {
        switch role {
        case .viewer: viewerCount += change
        case .push: pushCount += change
        }
    }
}
