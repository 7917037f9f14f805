import Media

/// What a player asks for with a media playlist: the delivery directives (RFC 8216bis §6.2.5).
public struct PlaylistDirectives: Sendable, Hashable {
    /// `_HLS_msn`: the answer is to hold the segment with this number, or a part of it.
    public private(set) var sequence: Int64?
    /// `_HLS_part`: the part of that segment, counted from 0; the whole segment when it is nil.
    public private(set) var part: Int?
    /// `_HLS_skip`: segments that the player has may be left out.
    public private(set) var skips = false

    public init() {}

    /// Takes a parameter of the request's query, if it is a directive.
    ///
    /// - Returns: the name of a directive whose value is none.
    public mutating func take(_ name: String, _ value: String) -> String? {
        switch name {
        case "_HLS_msn":
            guard let number = Self.number(value) else { return "_HLS_msn" }
            sequence = number
        case "_HLS_part":
            guard let number = Self.number(value) else { return "_HLS_part" }
            part = Int(clamping: number)
        case "_HLS_skip":
            // `v2` may leave out date ranges too, of which there are none.
            guard value == "YES" || value == "v2" else { return "_HLS_skip" }
            skips = true
        default: break
        }
        return nil
    }

    /// A part is counted within a segment.
    public var isComplete: Bool { part == nil || sequence != nil }

    private static func number(_ text: String) -> Int64? {
        guard (1...18).contains(text.utf8.count), text.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains)
        else { return nil }
        return Int64(text)
    }
}

/// Whether there is what a player asks for.
public enum PlaylistReadiness: Sendable, Hashable {
    case ready
    /// It is what comes next, or soon after.
    case waits
    /// It is so far ahead that whoever asks for it is mistaken.
    case tooFarAhead
}

extension PlaylistSnapshot {
    /// RFC 8216bis §6.2.5.2.
    public func readiness(for directives: PlaylistDirectives) -> PlaylistReadiness {
        guard !isEnded, let sequence = directives.sequence, let last = listed.last?.sequence, sequence > last else {
            return readinessOfListed(directives)
        }
        guard sequence - last <= 2 else { return .tooFarAhead }
        guard let part = directives.part else { return .waits }
        return readiness(of: part, ofSegmentsAfterLast: sequence - last - 1)
    }

    /// Of a segment that is listed, or was. A part past its last one is the first of the segment after it.
    private func readinessOfListed(_ directives: PlaylistDirectives) -> PlaylistReadiness {
        guard !isEnded, let sequence = directives.sequence, let part = directives.part,
            let last = listed.last, sequence == last.sequence, !last.parts.isEmpty, part >= last.parts.count
        else { return .ready }
        guard part - last.parts.count <= advanceLimit else { return .tooFarAhead }
        return readiness(of: 0, ofSegmentsAfterLast: 0)
    }

    /// - Parameter distance: 0: of the segment that is being written; 1: of the one after it.
    private func readiness(of part: Int, ofSegmentsAfterLast distance: Int64) -> PlaylistReadiness {
        let count = distance == 0 ? open?.parts.count ?? 0 : 0
        if part < count { return .ready }
        return part - count > advanceLimit ? .tooFarAhead : .waits
    }

    /// How many parts ahead may be asked for: three seconds of them, or three (RFC 8216bis §6.2.5.2).
    private var advanceLimit: Int {
        let target = partTarget.seconds
        return target > 0 && target < 1 ? Int((3 / target).rounded(.up)) : 3
    }

    /// The part that came last; nil when there is none, or the stream is over.
    public var newestPart: MediaFileName? {
        open.map { .part(life: $0.life, number: $0.nextPart - 1) }
    }

    /// Whether a part that is not there is the one that comes next.
    public func isHint(_ name: MediaFileName) -> Bool {
        guard let open else { return false }
        if case .trackPart(_, let life, let number) = name { return open.hint == .part(life: life, number: number) }
        return open.hint == name
    }
}
