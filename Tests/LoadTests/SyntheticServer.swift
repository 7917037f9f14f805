import Load
import NIOCore
import StrictHLSClient

/// A server of low-latency HLS that does everything right, and the exchanges of a client with it, in virtual time; and ways to do
/// one thing wrong.
///
/// Segments of two seconds with four parts each of half a second, ten frames a second, a keyframe at the beginning of each segment;
/// eight segments are listed.
struct SyntheticServer {
    static let target = 2
    static let partsOfSegment = 4
    static let listed = 8

    /// What is done wrong.
    var changesText: (inout String, _ step: Int) -> Void = { _, _ in }
    var changesExchange: (inout StrictExchange, _ step: Int) -> Void = { _, _ in }
    var changesSamples: (inout [Sample], _ part: Int) -> Void = { _, _ in }
    var changesSegment: (inout ByteBuffer, _ sequence: Int) -> Void = { _, _ in }
    var more: [StrictExchange] = []

    struct Sample {
        var duration: UInt32 = 100
        var isSync: Bool
        /// What the frame's bytes say: 5 is a keyframe.
        var unit: UInt8
    }

    /// A step's time: when part `step - 1` is whole.
    static func time(_ step: Int) -> NIODeadline { .uptimeNanoseconds(1_000_000_000) + .milliseconds(500) * step }

    /// What a client sees of the first so many parts, the last of them the end of the stream.
    func exchanges(parts: Int = 60) -> [StrictExchange] {
        var all = more
        func add(_ subject: StrictExchange.Subject, _ step: Int, sent: Int, took: Int64, _ body: ByteBuffer) {
            var exchange = StrictExchange(
                // A reload or hint goes out when everything of the step before has come.
                subject, sent: Self.time(sent) + .milliseconds(sent < step ? 45 : took - 5),
                received: Self.time(step) + .milliseconds(took),
                body: body)
            changesExchange(&exchange, step)
            all.append(exchange)
        }
        // The playlist begins with two parts; each reload waits for the next one, and each part is asked for when it is announced.
        add(.playlist("chunklist.m3u8", .init()), 2, sent: 2, took: 10, text(2, isEnded: false))
        add(.media("init_0.mp4"), 2, sent: 2, took: 20, Self.map)
        for part in 0..<2 { add(.media("part_\(part).m4s"), 2, sent: 2, took: 30 + Int64(part), partBytes(part)) }
        for step in 3...parts {
            let wanted = (step - 1).quotientAndRemainder(dividingBy: Self.partsOfSegment)
            let skips = step % 2 == 0
            add(.media("part_\(step - 1).m4s"), step, sent: step - 1, took: 8, partBytes(step - 1))
            add(
                .playlist("chunklist.m3u8", .init(sequence: wanted.quotient, part: wanted.remainder, skips: skips)),
                step,
                sent: step - 1, took: 10, text(step, isEnded: step == parts, skips: skips))
            // In whole, too, so that both can be compared.
            if skips {
                add(
                    .playlist("chunklist.m3u8", .init()), step, sent: step, took: 20, text(step, isEnded: step == parts)
                )
            }
            if step % Self.partsOfSegment == 0 {
                let sequence = step / Self.partsOfSegment - 1
                add(.media("media_\(sequence).m4s"), step, sent: step, took: 30, segmentBytes(sequence))
            }
            if step % 5 == 0 {
                add(
                    .playlist("other.m3u8", .init()), step, sent: step, took: 40,
                    text(step, isEnded: step == parts, reports: false))
            }
        }
        return all.sorted { $0.received < $1.received }
    }

    // MARK: Playlists

    /// With so many parts.
    func text(_ step: Int, isEnded: Bool, skips: Bool = false, reports: Bool = true) -> ByteBuffer {
        let whole = step / Self.partsOfSegment
        let first = max(0, whole - Self.listed)
        // Segments farther than six target durations from the end.
        let ahead = Double(step % Self.partsOfSegment) * 0.5
        let skipped = skips ? max(0, (first..<whole).count { Double(whole - $0) * 2 + ahead > 12 }) : 0
        var lines = [
            "#EXTM3U", "#EXT-X-VERSION:9", "#EXT-X-TARGETDURATION:2",
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=1.5,HOLD-BACK=6",
            "#EXT-X-PART-INF:PART-TARGET=0.5", "#EXT-X-MEDIA-SEQUENCE:\(first)", "#EXT-X-DISCONTINUITY-SEQUENCE:7",
            "#EXT-X-INDEPENDENT-SEGMENTS",
        ]
        if skipped > 0 {
            lines.append("#EXT-X-SKIP:SKIPPED-SEGMENTS=\(skipped)")
        } else {
            lines.append("#EXT-X-MAP:URI=\"init_0.mp4\"")
        }
        for sequence in (first + skipped)..<max(first + skipped, whole) {
            lines.append(date(sequence))
            if Double(whole - sequence - 1) * 2 + ahead < 6 {
                for part in 0..<Self.partsOfSegment { lines.append(partLine(sequence * Self.partsOfSegment + part)) }
            }
            lines += ["#EXTINF:2.000000,", "media_\(sequence).m4s"]
        }
        if step % Self.partsOfSegment > 0 {
            lines.append(date(whole))
            for part in whole * Self.partsOfSegment..<step { lines.append(partLine(part)) }
        }
        if isEnded {
            lines.append("#EXT-X-ENDLIST")
        } else {
            lines.append("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part_\(step).m4s\"")
        }
        if reports {
            let last = (step - 1).quotientAndRemainder(dividingBy: Self.partsOfSegment)
            lines.append(
                "#EXT-X-RENDITION-REPORT:URI=\"other.m3u8\",LAST-MSN=\(last.quotient),LAST-PART=\(last.remainder)")
        }
        var text = lines.joined(separator: "\n") + "\n"
        changesText(&text, step)
        return ByteBuffer(string: text)
    }

    private func date(_ sequence: Int) -> String {
        let seconds = sequence * 2
        return
            "#EXT-X-PROGRAM-DATE-TIME:2026-01-31T12:\(seconds / 60 < 10 ? "0" : "")\(seconds / 60):\(seconds % 60 < 10 ? "0" : "")\(seconds % 60).000Z"
    }

    private func partLine(_ part: Int) -> String {
        "#EXT-X-PART:DURATION=0.500000,URI=\"part_\(part).m4s\""
            + (part % Self.partsOfSegment == 0 ? ",INDEPENDENT=YES" : "")
    }

    // MARK: Media (ISO 14496-12)

    func segmentBytes(_ sequence: Int) -> ByteBuffer {
        var bytes = ByteBuffer()
        for part in 0..<Self.partsOfSegment {
            bytes.writeImmutableBuffer(partBytes(sequence * Self.partsOfSegment + part))
        }
        changesSegment(&bytes, sequence)
        return bytes
    }

    func partBytes(_ part: Int) -> ByteBuffer {
        let isFirst = part % Self.partsOfSegment == 0
        var samples = (0..<5).map { Sample(isSync: isFirst && $0 == 0, unit: isFirst && $0 == 0 ? 5 : 1) }
        changesSamples(&samples, part)
        let table = samples.flatMap { sample in
            bits(sample.duration) + bits(UInt32(6)) + bits(UInt32(sample.isSync ? 0x0200_0000 : 0x0101_0000))
        }
        func fragment(offset: UInt32) -> [UInt8] {
            let run = full("trun", options: 0x701, bits(UInt32(samples.count)) + bits(offset) + table)
            let head = full("tfhd", options: 0x02_0000, bits(UInt32(1)))
            let time = full("tfdt", options: 0x0100_0000, bits(UInt64(part) * 500))
            return box("moof", full("mfhd", options: 0, bits(UInt32(part + 1))) + box("traf", head + time + run))
        }
        let size = fragment(offset: 0).count
        let data = samples.flatMap { bits(UInt32(2)) + [$0.unit, UInt8(truncatingIfNeeded: part)] }
        return ByteBuffer(bytes: fragment(offset: UInt32(size + 8)) + box("mdat", data))
    }

    static let map: ByteBuffer = {
        let track = full("tkhd", options: 0, [UInt8](repeating: 0, count: 8) + bits(UInt32(1)))
        let media =
            full("mdhd", options: 0, [UInt8](repeating: 0, count: 8) + bits(UInt32(1_000)))
            + full("hdlr", options: 0, bits(UInt32(0)) + Array("vide".utf8))
            + box("minf", box("stbl", full("stsd", options: 0, bits(UInt32(1)) + box("avc1", []))))
        let extends = full("trex", options: 0, [UInt32(1), 1, 100, 0, 0].flatMap { bits($0) })
        return ByteBuffer(
            bytes: box("ftyp", Array("iso6".utf8) + bits(UInt32(0)))
                + box("moov", box("trak", track + box("mdia", media)) + box("mvex", extends)))
    }()
}

private func bits(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
}

private func box(_ type: String, _ content: [UInt8]) -> [UInt8] {
    bits(UInt32(content.count + 8)) + Array(type.utf8) + content
}

private func full(_ type: String, options: UInt32, _ content: [UInt8]) -> [UInt8] {
    box(type, bits(options) + content)
}
