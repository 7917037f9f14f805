import Media

/// The two tracks a file may have, and the numbers they go by.
enum TrackKind: UInt32, Sendable {
    case video = 1
    case audio = 2

    /// `track_ID`.
    var identifier: UInt32 { rawValue }

    /// Ticks a second of the track's timestamps: 90,000 for pictures, the sample rate for sound.
    static func timescale(of configuration: CodecConfiguration) -> UInt32 {
        switch configuration {
        case .avc, .hevc, .av1, .vp9: 90_000
        case .aac(let value): sampleRate(value.sampleRate)
        case .mp3(let value): sampleRate(value.sampleRate)
        case .opus: sampleRate(OpusConfiguration.sampleRate)
        }
    }

    private static func sampleRate(_ rate: Int) -> UInt32 {
        guard rate > 0, let ticks = UInt32(exactly: rate) else { return 48_000 }
        return ticks
    }
}
