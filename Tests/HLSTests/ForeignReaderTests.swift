import Foundation
import Media
import NIOCore
import TestSupport
import Testing

@testable import HLS

/// ffmpeg's HLS reader must get out what a real encoder put in.
@Suite struct ForeignReaderTests {
    /// Packages the units, writes the playlist and its files into the folder, and returns the last snapshot.
    private func package(
        _ lives: [AccessUnitFile], as container: SegmentContainer = .fragmentedMP4, into directory: URL
    ) throws -> PlaylistSnapshot {
        var stream = SegmentedStream(configuration: SegmenterConfiguration(window: 20))
        for (index, file) in lives.enumerated() {
            if index > 0 { _ = stream.discontinuity(now: 0) }
            try stream.setTracks(file.tracks)
            for unit in file.units { _ = stream.append(unit, now: 1_700_000_000_000 + unit.decodeTime.milliseconds) }
        }
        let ended = stream.end(now: 0)
        let snapshot = try #require(ended)
        let playlist = snapshot.mediaPlaylist(container == .transportStream ? .transportStream : .fragmentedMP4)
        _ = try PlaylistChecker(playlist)
        try Data(playlist.readableBytesView).write(to: directory.appendingPathComponent("list.m3u8"))
        var rendition = TransportStreamRendition()
        for segment in snapshot.listed {
            var files = [(segment.name(in: .fragmentedMP4), segment.bytes)]
            files.append((segment.initialization.name, segment.initialization.bytes))
            if container == .transportStream {
                let bytes = rendition.bytes(of: segment)
                files = [(segment.name(in: container), try #require(bytes))]
            }
            for (name, bytes) in files {
                try Data(bytes.readableBytesView).write(to: directory.appendingPathComponent(name.description))
            }
        }
        return snapshot
    }

    /// One track's packets, times counted from `start`.
    private func track(_ packets: [ProbedPacket], video: Bool, from start: Int64) -> [ProbedPacket] {
        packets.filter { $0.isVideo == video }.map { packet in
            var packet = packet
            packet.decodeTime -= start
            packet.presentationTime -= start
            return packet
        }
    }

    private func packets(of units: [AccessUnit]) -> [ProbedPacket] {
        units.map {
            ProbedPacket(
                isVideo: $0.codec.isVideo, isKeyframe: $0.isKeyframe, decodeTime: $0.decodeTime.nanoseconds,
                presentationTime: $0.presentationTime.nanoseconds)
        }
    }

    /// Both tracks' packets are the units, with the same distances between all their times.
    private func expectSame(_ read: [ProbedPacket], _ units: [AccessUnit], tolerance: Int64) throws {
        // Sound before the first keyframe goes into no segment.
        let sent = packets(of: Array(units.drop { !$0.codec.isVideo }))
        let readStart = try #require(read.first { $0.isVideo }).decodeTime
        let sentStart = try #require(sent.first { $0.isVideo }).decodeTime
        for video in [true, false] {
            let got = track(read, video: video, from: readStart)
            let expected = track(sent, video: video, from: sentStart)
            #expect(got.count == expected.count)
            for (one, other) in zip(got, expected) {
                let isSame =
                    abs(one.decodeTime - other.decodeTime) <= tolerance
                    && abs(one.presentationTime - other.presentationTime) <= tolerance
                    && one.isKeyframe == other.isKeyframe
                #expect(isSame, "\(one) for \(other)")
            }
        }
    }

    @Test("ffmpeg reads transport streams back unchanged")
    func ffmpegReadsTransportStreamsBackUnchanged() async throws {
        let file = try SyntheticStream.file("avc-aac.units")
        let folder = try Folder()
        let snapshot = try package([file], as: .transportStream, into: folder.url)
        #expect(snapshot.listed.count == 5)
        let read = try await ProbedPacket.all(of: "list.m3u8", in: folder)
        // Two ticks of 90 kHz: where several frames of sound share a packet, the reader works out their times.
        try expectSame(read, file.units, tolerance: 25_000)
        _ = try await cleanOutput(
            of: ["ffmpeg", "-v", "error", "-xerror", "-i", "list.m3u8", "-f", "null", "-"], in: folder)
    }

    /// Before zero, and over the end of MPEG-TS's 33 bits of 90 kHz (95,443.718 s; the writer adds ten seconds).
    @Test("Timestamps may be negative and may wrap", arguments: [-5_000, 95_429_000])
    func timestampsMayBeNegativeAndMayWrap(shift: Int64) async throws {
        var file = try SyntheticStream.file("avc-aac.units")
        for index in file.units.indices { file.units[index].decodeTime += MediaTime(milliseconds: shift) }
        let folder = try Folder()
        let snapshot = try package([file], as: .transportStream, into: folder.url)
        #expect(snapshot.listed.map(\.isDiscontinuity) == Array(repeating: false, count: 5))
        let read = try await ProbedPacket.all(of: "list.m3u8", in: folder)
        try expectSame(read, file.units, tolerance: 25_000)
    }

    @Test("Every segment plays alone")
    func everySegmentPlaysAlone() async throws {
        let file = try SyntheticStream.file("avc-aac.units")
        let folder = try Folder()
        for segment in try package([file], as: .transportStream, into: folder.url).listed {
            let name = segment.name(in: .transportStream).description
            let bytes = ByteBuffer(bytes: try Data(contentsOf: folder.url.appendingPathComponent(name)))
            // ffmpeg finds its way without them, browsers do not: the program association table in a packet of
            // PID 0, the program map table in the next one.
            #expect(bytes.getInteger(at: 0, as: UInt32.self).map { $0 >> 8 } == 0x474000)
            #expect(bytes.getInteger(at: 4, as: UInt16.self) == 0x0000)
            #expect(bytes.getInteger(at: 188 + 4, as: UInt16.self) == 0x0002)
            let read = try await ProbedPacket.all(of: name, in: folder)
            #expect(read.first { $0.isVideo }?.isKeyframe == true)
            #expect(read.filter(\.isVideo).count == segment.videoFrames)
            _ = try await cleanOutput(
                of: ["ffmpeg", "-v", "error", "-xerror", "-i", name, "-f", "null", "-"], in: folder)
        }
    }

    @Test("ffmpeg reads on over a takeover", arguments: [SegmentContainer.fragmentedMP4, .transportStream])
    func ffmpegReadsOverATakeover(as container: SegmentContainer) async throws {
        let file = try SyntheticStream.file("avc-aac.units")
        var later = file
        for index in later.units.indices { later.units[index].decodeTime += MediaTime(milliseconds: 3_600_000) }
        let folder = try Folder()
        let snapshot = try package([file, later], as: container, into: folder.url)
        #expect(snapshot.listed.map(\.isDiscontinuity) == (0..<10).map { $0 == 5 })
        let read = try await ProbedPacket.all(of: "list.m3u8", in: folder)
        #expect(read.count == file.units.count * 2)
    }

    @Test("ffmpeg reads fragmented MP4 back unchanged", arguments: [("av1-opus.units", 2), ("avc-aac.units", 5)])
    func ffmpegReadsFragmentedMP4BackUnchanged(_ name: String, _ segments: Int) async throws {
        let file = try SyntheticStream.file(name)
        let folder = try Folder()
        let snapshot = try package([file], into: folder.url)
        #expect(snapshot.listed.count == segments)
        let read = try await ProbedPacket.all(of: "list.m3u8", in: folder)
        try expectSame(read, file.units, tolerance: 25_000)
        _ = try await cleanOutput(
            of: ["ffmpeg", "-v", "error", "-xerror", "-i", "list.m3u8", "-f", "null", "-"], in: folder)
    }
}
