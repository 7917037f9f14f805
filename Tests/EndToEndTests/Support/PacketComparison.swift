import Testing

/// Tests that a viewer got everything from a keyframe on: every packet of the source from there, nothing else, in order,
/// with the same payloads and times.
/// - Parameter viewer: who received them, for the failure's text.
func expectSuffix(
    _ received: StreamPackets, of source: StreamPackets, viewer: String = "the viewer", untilEnd: Bool = true,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    for kind in [StreamPacket.Kind.video, .audio] {
        let sent = source.all.filter { $0.kind == kind }
        let got = received.all.filter { $0.kind == kind }
        guard !sent.isEmpty else {
            #expect(got.isEmpty, "\(viewer): \(kind) from nowhere", sourceLocation: sourceLocation)
            continue
        }
        guard let first = got.first, let start = sent.firstIndex(of: first) else {
            Issue.record("\(viewer): no \(kind) of the source: \(got.prefix(2))", sourceLocation: sourceLocation)
            continue
        }
        let expected = untilEnd ? Array(sent[start...]) : Array(sent[start...].prefix(got.count))
        if got != expected {
            let wrong = zip(got, expected).enumerated().first { $0.element.0 != $0.element.1 }
            Issue.record(
                """
                \(viewer), \(kind): \(got.count) packets, expected \(expected.count); first difference \
                \(String(describing: wrong))
                """,
                sourceLocation: sourceLocation)
        }
    }
    if let picture = received.all.video.first {
        #expect(
            source.keyframes.contains(picture.hash), "\(viewer) does not begin with a keyframe",
            sourceLocation: sourceLocation)
        if let sound = received.all.audio.first {
            // Sound that lies between the keyframe and its neighbours in the stream, not a GOP away.
            #expect(abs(sound.decode - picture.decode) < 200, sourceLocation: sourceLocation)
        }
    }
}

/// Tests that two lists hold the same payloads at the same times, but for one constant shift and a rounding of 1 ms.
func expectSame(
    _ received: [StreamPacket], as sent: [StreamPacket], sourceLocation: SourceLocation = #_sourceLocation
) -> Int? {
    #expect(received.map(\.hash) == sent.map(\.hash), sourceLocation: sourceLocation)
    guard let first = received.first, let origin = sent.first, received.count == sent.count else { return nil }
    let shift = first.decode - origin.decode
    let wrong = zip(received, sent).first { got, sent in
        abs(got.decode - sent.decode - shift) > 1 || abs(got.presentation - sent.presentation - shift) > 1
    }
    #expect(wrong == nil, "shifted by \(shift)", sourceLocation: sourceLocation)
    return shift
}
