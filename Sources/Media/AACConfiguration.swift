import NIOCore

/// MPEG-4 audio's AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).
public struct AACConfiguration: Sendable, Hashable, Codable {
    /// MPEG-4 audio object type of the core coder (2 = AAC-LC), whether or not an extension is used with it.
    public var objectType: Int
    /// The core coder's sample rate, at which ``samplesPerFrame`` counts. With spectral band replication a decoder gives twice
    /// as many samples, see ``outputSampleRate``.
    public var sampleRate: Int
    /// The core coder's channels; 0 when only the stream tells them. With parametric stereo a decoder makes two of one.
    public var channels: Int
    /// channelConfiguration as it stands in the record: 0 when a program config element tells the channels.
    public var channelConfiguration: Int
    /// Spectral band replication is signalled (HE-AAC).
    public var hasSpectralBandReplication: Bool
    /// Parametric stereo is signalled (HE-AAC version 2).
    public var hasParametricStereo: Bool
    /// The sample rate of what a decoder gives: ``sampleRate``, unless spectral band replication is used.
    public var outputSampleRate: Int
    /// Samples of each channel in a frame, at ``sampleRate``: 1024, or 960, or 512 or 480 for low delay.
    public var samplesPerFrame: Int
    /// For channelConfiguration 0: the program config element with its element id, filled to whole bytes, as it stands
    /// at the head of a raw data block.
    public var programConfigElement: ByteBuffer?
    /// The AudioSpecificConfig as received.
    public var record: ByteBuffer

    /// `mp4a.40.` and the object type a player must know (RFC 6381 §3.3): 2 for AAC-LC, 5 for HE-AAC, 29 with
    /// parametric stereo.
    public var codecString: String {
        "mp4a.40.\(hasParametricStereo ? 29 : hasSpectralBandReplication ? 5 : objectType)"
    }

    /// How long one frame plays.
    public var frameDuration: MediaTime {
        MediaTime(ticks: Int64(samplesPerFrame), timescale: Int64(sampleRate))
    }

    /// Reads an AudioSpecificConfig.
    ///
    /// - Throws: when it is cut short, or names no sample rate or no channels that exist.
    public init(record: ByteBuffer) throws(MediaParseError) {
        let config = try AudioSpecificConfig(record)
        objectType = config.objectType
        sampleRate = config.sampleRate
        channels = config.channels
        channelConfiguration = config.channelConfiguration
        hasSpectralBandReplication = config.hasSpectralBandReplication
        hasParametricStereo = config.hasParametricStereo
        outputSampleRate = config.extensionSampleRate ?? config.sampleRate
        samplesPerFrame = config.samplesPerFrame
        programConfigElement = config.programConfigElement
        self.record = record
    }

    /// Makes the AudioSpecificConfig for AAC in ADTS, which comes without one.
    ///
    /// - Parameters:
    ///   - objectType: 1 to 30, 2 = AAC-LC.
    ///   - sampleRate: written in full when it is not in the standard's table.
    ///   - channelConfiguration: 1 to 7.
    public init(objectType: Int, sampleRate: Int, channelConfiguration: Int) throws(MediaParseError) {
        guard (1...30).contains(objectType), (1...0xFF_FFFF).contains(sampleRate),
            (1...7).contains(channelConfiguration)
        else {
            throw MediaParseError(
                AudioSpecificConfig.structure,
                "object type \(objectType), \(sampleRate) Hz, channel configuration \(channelConfiguration)")
        }
        var writer = BitWriter()
        writer.write(UInt32(objectType), bits: 5)
        if let index = AudioSpecificConfig.sampleRates.firstIndex(of: sampleRate) {
            writer.write(UInt32(index), bits: 4)
        } else {
            writer.write(15, bits: 4)
            writer.write(UInt32(sampleRate), bits: 24)
        }
        writer.write(UInt32(channelConfiguration), bits: 4)
        // Frames of 1024 samples, no core coder, no extension.
        writer.write(0, bits: 3)
        writer.align()
        try self.init(record: writer.bytes)
    }
}
