import Media
import NIOCore

/// The parameter sets a video stream has brought, each in force until another of its kind and number comes.
struct ParameterSets: Sendable {
    enum Kind: Sendable {
        case avcSequence
        case avcPicture
        case hevcVideo
        case hevcSequence
        case hevcPicture
    }

    /// Sets longer than this are not kept, because one of each kind would not fit into a configuration record together.
    private static let maximumLength = 8192
    /// How many sets of one kind are kept. Encoders use one or two.
    private static let maximumCount: UInt32 = 16

    private var kept: [(kind: Kind, identifier: UInt32, bytes: ByteBuffer)] = []

    /// Keeps a set in place of the former one of its kind and number; a set that cannot be read is left out.
    /// - Returns: whether the set differs from the former one.
    mutating func update(_ unit: ByteBuffer, kind: Kind) -> Bool {
        guard unit.readableBytes <= Self.maximumLength, let identifier = try? Self.identifier(of: unit, kind: kind),
            identifier < Self.maximumCount
        else { return false }
        let index = kept.firstIndex { $0.kind == kind && $0.identifier == identifier }
        if let index {
            guard kept[index].bytes != unit else { return false }
        }
        // The bytes are copied, so that these few do not keep the whole access unit in memory.
        let set = (kind, identifier, ByteBuffer(bytes: unit.readableBytesView))
        if let index {
            kept[index] = set
        } else {
            kept.append(set)
            kept.sort { $0.identifier < $1.identifier }
        }
        return true
    }

    var avcConfiguration: CodecConfiguration? {
        let pictures = all(.avcPicture)
        guard !pictures.isEmpty else { return nil }
        let made = try? AVCConfiguration(
            sequenceParameterSets: all(.avcSequence), pictureParameterSets: pictures)
        return made.map { .avc($0) }
    }

    var hevcConfiguration: CodecConfiguration? {
        let pictures = all(.hevcPicture)
        let videos = all(.hevcVideo)
        guard !pictures.isEmpty, !videos.isEmpty else { return nil }
        let made = try? HEVCConfiguration(
            videoParameterSets: videos, sequenceParameterSets: all(.hevcSequence), pictureParameterSets: pictures)
        return made.map { .hevc($0) }
    }

    private func all(_ kind: Kind) -> [ByteBuffer] {
        kept.filter { $0.kind == kind }.map(\.bytes)
    }

    private static func identifier(of unit: ByteBuffer, kind: Kind) throws(MediaParseError) -> UInt32 {
        var reader = BitReader(unescaping: unit, structure: "parameter set")
        switch kind {
        case .avcSequence: return try AVCSequenceParameterSet(nalUnit: unit).identifier
        case .hevcSequence: return try HEVCSequenceParameterSet(nalUnit: unit).identifier
        case .avcPicture:
            try reader.skip(8)
            return try reader.unsignedGolomb()
        case .hevcPicture:
            try reader.skip(16)
            return try reader.unsignedGolomb()
        case .hevcVideo:
            try reader.skip(16)
            return try reader.bits(4)
        }
    }
}
