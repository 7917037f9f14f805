import Media
import NIOCore

/// Makes access units of H.264 and H.265 that came as Annex B: it replaces start codes by lengths, takes parameter sets and
/// delimiters out, and makes the configuration of the parameter sets.
struct VideoTrackReader: Sendable {
    private let isHEVC: Bool
    private var sets = ParameterSets()
    private var configuration: CodecConfiguration?

    init(isHEVC: Bool) {
        self.isHEVC = isHEVC
    }

    mutating func read(
        _ payload: ByteBuffer, decode: MediaTime, compositionOffset: MediaTime, dropped: inout Int,
        into events: inout [TransportStreamDemuxer.Event]
    ) {
        var units = AnnexBNALUnits(payload)
        var bytes = ByteBuffer()
        // A length takes 4 bytes, and the start code that it replaces may have had 3.
        bytes.reserveCapacity(payload.readableBytes + 16)
        var isKeyframe = false
        var hasPicture = false
        var setsChanged = false
        while let unit = units.next() {
            switch classify(unit) {
            case .parameterSet(let kind): setsChanged = sets.update(unit, kind: kind) || setsChanged
            case .leftOut: break
            case .part(let isSlice, let mayStart):
                hasPicture = hasPicture || isSlice
                isKeyframe = isKeyframe || mayStart
                bytes.writeInteger(UInt32(clamping: unit.readableBytes))
                bytes.writeImmutableBuffer(unit)
            }
        }
        if setsChanged || configuration == nil {
            // There is no configuration before all the kinds of parameter set have come.
            let made = isHEVC ? sets.hevcConfiguration : sets.avcConfiguration
            if let made, made != configuration {
                configuration = made
                events.append(.configuration(made))
            }
        }
        guard configuration != nil else { return }
        guard hasPicture else {
            dropped += 1
            return
        }
        events.append(
            .unit(
                AccessUnit(
                    codec: .video(isHEVC ? .hevc : .avc), decodeTime: decode, compositionOffset: compositionOffset,
                    isKeyframe: isKeyframe, payload: bytes)))
    }

    private enum Role {
        case parameterSet(ParameterSets.Kind)
        case leftOut
        case part(isSlice: Bool, mayStart: Bool)
    }

    private func classify(_ unit: ByteBuffer) -> Role {
        guard let header = unit.getInteger(at: unit.readerIndex, as: UInt8.self) else { return .leftOut }
        if isHEVC {
            let type = HEVCNALUnitType(header: header)
            switch type {
            case .videoParameterSet: return .parameterSet(.hevcVideo)
            case .sequenceParameterSet: return .parameterSet(.hevcSequence)
            case .pictureParameterSet: return .parameterSet(.hevcPicture)
            case .accessUnitDelimiter: return .leftOut
            default: return .part(isSlice: type.isSlice, mayStart: type.isRandomAccess)
            }
        }
        let type = AVCNALUnitType(header: header)
        switch type {
        case .sequenceParameterSet: return .parameterSet(.avcSequence)
        case .pictureParameterSet: return .parameterSet(.avcPicture)
        case .accessUnitDelimiter: return .leftOut
        default:
            let mayStart = type == .idrSlice || AVCNALUnitType.isRecoveryPoint(unit)
            return .part(isSlice: type.isSlice, mayStart: mayStart)
        }
    }
}
