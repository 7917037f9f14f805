import NIOCore

/// AC-3 (Dolby Digital), which has no configuration of its own: every sync frame's head tells all (ETSI TS 102 366 §4.3).
public struct AC3Configuration: Sendable, Hashable, Codable {
    public let sampleRate: Int
    /// With the one for low frequencies: 1 to 6.
    public let channels: Int
    /// The AC3SpecificBox's contents (annex F.4), 3 bytes. The bit rate in them is that of the frame they were made of.
    public let specificBox: ByteBuffer

    /// `ac-3`.
    public var codecString: String { "ac-3" }

    /// - Parameter frame: an access unit, which begins with a sync frame.
    public init(frame: ByteBuffer) throws(MediaParseError) {
        let head = try AC3SyncFrame(frame)
        guard !head.isEnhanced else { throw MediaParseError(AC3SyncFrame.structure, "it is Enhanced AC-3") }
        sampleRate = head.sampleRate
        channels = head.channels
        var writer = BitWriter()
        writer.write(UInt32(head.sampleRateCode), bits: 2)
        writer.write(UInt32(head.identification), bits: 5)
        writer.write(UInt32(head.serviceMode), bits: 3)
        writer.write(UInt32(head.channelMode), bits: 3)
        writer.write(head.hasLowFrequencies ? 1 : 0, bits: 1)
        writer.write(UInt32(head.bitRateCode), bits: 5)
        writer.write(0, bits: 5)
        specificBox = writer.bytes
    }

    /// Whether a decoder takes the frames of both alike: the bit rate may change from frame to frame.
    public func isContinued(by other: AC3Configuration) -> Bool {
        // fscod, bsid, bsmod, acmod, lfeon are the first 14 bits.
        specificBox.getInteger(at: specificBox.readerIndex, as: UInt16.self).map { $0 & 0xFFFC }
            == other.specificBox.getInteger(at: other.specificBox.readerIndex, as: UInt16.self).map { $0 & 0xFFFC }
    }
}

/// Enhanced AC-3 (Dolby Digital Plus), whose access units tell their configuration themselves: the sync frames of one or more
/// independent substreams, each with those that depend on it (ETSI TS 102 366 annex E).
public struct EAC3Configuration: Sendable, Hashable, Codable {
    /// An independent substream, and what depends on it.
    struct Substream: Sendable, Hashable, Codable {
        var sampleRateCode: UInt8
        var identification: UInt8
        var serviceMode: UInt8
        var channelMode: UInt8
        var hasLowFrequencies: Bool
        var dependents: UInt8 = 0
        /// chan_loc: the channels beyond 5.1 that the dependent substreams add, as nine bits.
        var addedChannels: UInt16 = 0
    }

    public let sampleRate: Int
    /// Of the first independent substream, with the one for low frequencies and those that dependent substreams add.
    public let channels: Int
    let substreams: [Substream]
    /// Kilobits a second of the access unit that this was made of.
    let dataRate: Int

    /// `ec-3`.
    public var codecString: String { "ec-3" }

    /// - Parameter frame: a whole access unit.
    public init(frame: ByteBuffer) throws(MediaParseError) {
        let first = try AC3SyncFrame(frame)
        guard first.isIndependent else { throw MediaParseError(AC3SyncFrame.structure, "a dependent substream first") }
        var found: [(number: UInt8, substream: Substream)] = []
        var rest = frame
        while let head = try? AC3SyncFrame(rest) {
            if head.isIndependent {
                // The standard has at most eight. Another frame of a substream already seen is a later part of the same time.
                if !found.contains(where: { $0.number == head.substream }), found.count < 8 {
                    found.append(
                        (
                            head.substream,
                            Substream(
                                sampleRateCode: head.sampleRateCode, identification: head.identification,
                                serviceMode: head.serviceMode, channelMode: head.channelMode,
                                hasLowFrequencies: head.hasLowFrequencies)
                        ))
                }
            } else if var last = found.popLast() {
                // A frame of fewer than six blocks is followed by more of the same substreams.
                last.substream.dependents = max(last.substream.dependents, head.substream + 1)
                if let map = head.channelMap {
                    // Lc/Rc to Cvh, and the second low frequency channel.
                    last.substream.addedChannels |= (map >> 3 & 0xFF) << 1 | map >> 1 & 1
                }
                found.append(last)
            }
            guard rest.readSlice(length: head.length) != nil, rest.readableBytes > 0 else { break }
        }
        substreams = found.map(\.substream)
        sampleRate = first.sampleRate
        channels = first.channels + (found.first.map { Self.count($0.substream.addedChannels) } ?? 0)
        let samples = AC3SyncFrame.samples(inUnit: frame) ?? first.samples
        dataRate = min(0x1FFF, frame.readableBytes * 8 * first.sampleRate / (max(1, samples) * 1000))
    }

    /// How many channels the places of chan_loc hold: pairs of channels count twice.
    private static func count(_ addedChannels: UInt16) -> Int {
        // From the highest bit: Lc/Rc, Lrs/Rrs, Cs, Ts, Lsd/Rsd, Lw/Rw, Lvh/Rvh, Cvh, LFE2.
        let pairs: UInt16 = 0b1_1001_1100
        return addedChannels.nonzeroBitCount + (addedChannels & pairs).nonzeroBitCount
    }

    /// The EC3SpecificBox's contents (annex F.6).
    public var specificBox: ByteBuffer {
        var writer = BitWriter()
        writer.write(UInt32(dataRate), bits: 13)
        writer.write(UInt32(max(1, substreams.count) - 1), bits: 3)
        for substream in substreams {
            writer.write(UInt32(substream.sampleRateCode), bits: 2)
            writer.write(UInt32(substream.identification), bits: 5)
            // A reserved bit, and asvc.
            writer.write(0, bits: 2)
            writer.write(UInt32(substream.serviceMode), bits: 3)
            writer.write(UInt32(substream.channelMode), bits: 3)
            writer.write(substream.hasLowFrequencies ? 1 : 0, bits: 1)
            writer.write(0, bits: 3)
            writer.write(UInt32(substream.dependents), bits: 4)
            if substream.dependents > 0 {
                writer.write(UInt32(substream.addedChannels), bits: 9)
            } else {
                writer.write(0, bits: 1)
            }
        }
        writer.align()
        return writer.bytes
    }

    /// Whether a decoder takes the frames of both alike: the bit rate may change from frame to frame.
    public func isContinued(by other: EAC3Configuration) -> Bool {
        sampleRate == other.sampleRate && substreams == other.substreams
    }
}
