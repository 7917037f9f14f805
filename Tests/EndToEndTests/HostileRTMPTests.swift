import ControlAPI
import Foundation
import NIOCore
import RTMP
import TestSupport
import Testing

/// RTMP peers that want to do harm, against the running program, beside an encoder and a viewer that must not notice.
@Suite("Hostile RTMP peers", .serialized) struct HostileRTMPTests {
    @Test("Two thousand connections at once cost little memory and are all gone after a while")
    func manyConnections() async throws {
        try AttackScene.raiseDescriptorLimit(to: 3_000)
        let scene = try await AttackScene(["rtmp.handshake_timeout: 20s"])
        let openings = [RTMPBytes.handshake, [3], Array(RTMPBytes.opening().dropLast(9))]
        try await scene.play(memory: 96 << 20) { scene in
            let peers = try await withThrowingTaskGroup(of: [RawPeer].self) { group in
                // No more than an address may have, from eight addresses.
                for address in 1...8 {
                    group.addTask { [port = scene.origin.rtmpPort] in
                        var peers: [RawPeer] = []
                        for number in 0..<250 {
                            let peer = try await RawPeer.connect(port: port, from: "127.0.1.\(address)")
                            await peer.offer(openings[number % openings.count])
                            peers.append(peer)
                        }
                        return peers
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            try await eventually("all of them") { try scene.facts().descriptors > 2_000 }
            return peers
        }
        try await scene.finish()
    }

    @Test("Viewers that do not read are closed, and hold little until then")
    func viewersThatDoNotRead() async throws {
        let scene = try await AttackScene(["live.slow_viewer_timeout: 2s"])
        try await scene.account.openStream("heavy")
        try await scene.play(memory: 128 << 20) { scene in
            let publisher = try await RTMPPeer.connect(.publish, port: scene.origin.rtmpPort, stream: "heavy")
            var peers: [RawPeer] = []
            for _ in 0..<50 {
                let peer = try await RawPeer.connect(port: scene.origin.rtmpPort, reads: false)
                await peer.offer(RTMPBytes.opening() + RTMPBytes.createStream + RTMPBytes.play("heavy"))
                peers.append(peer)
            }
            try await scene.origin.untilViewed("heavy", 50)
            // 25 frames of 40 KB a second of media, a keyframe each, as fast as the origin takes them.
            var frame = 0
            try await eventually("the viewers to be closed") {
                for _ in 0..<25 {
                    let head: [UInt8] = [frame.isMultiple(of: 25) ? 0x17 : 0x27, 1, 0, 0, 0, 0, 0, 0x9C, 0x3B]
                    let body = ByteBuffer(bytes: head + [UInt8](repeating: 0x41, count: 39_995))
                    try await publisher.send(.video, timestamp: UInt32(frame * 40), body: body)
                    frame += 1
                }
                return try await scene.account.details("heavy")?.integer("viewers") == 0
            }
            try await publisher.stop()
            return peers
        }
        try await scene.finish()
    }

    @Test("Peers that ask and do not read the answers are not read either, and closed")
    func peersThatAskAndDoNotRead() async throws {
        let scene = try await AttackScene()
        // Fewer than a connection may have decoded at once: only the answers make it too much.
        let questions = [[UInt8]](repeating: RTMPBytes.unknownCommand, count: 16_000).flatMap { $0 }
        try await scene.play(memory: 64 << 20) { scene in
            var peers: [RawPeer] = []
            for _ in 0..<60 {
                let peer = try await RawPeer.connect(port: scene.origin.rtmpPort, reads: false)
                await peer.offer(RTMPBytes.opening() + questions)
                peers.append(peer)
            }
            try await eventually("the first to be closed") { scene.origin.logLines("code=tooMuchBuffered") > 0 }
            return peers
        }
        try await scene.finish()
        // Sixty lines would be too many for one network.
        #expect(scene.origin.logLines("RTMP connection ended") <= 21)
    }

    @Test("A connection that plays again and again is one viewer, and none when it goes")
    func playingAgainAndAgain() async throws {
        let scene = try await AttackScene()
        try await scene.play(memory: 64 << 20) { scene in
            let peer = try await RawPeer.connect(port: scene.origin.rtmpPort)
            await peer.send(RTMPBytes.opening() + RTMPBytes.createStream)
            for _ in 0..<20 {
                await peer.send([[UInt8]](repeating: RTMPBytes.play("show"), count: 50).flatMap { $0 })
            }
            try await eventually("the last play") { peer.text.components(separatedBy: "Play.Start").count > 1_000 }
            try await eventually("one viewer more") { try await scene.viewers() == 2 }
            await peer.close()
            try await eventually("none of it left") { try await scene.viewers() == 1 }
        }
        try await scene.finish()
    }

    @Test("Refused encoders with long names cost a few short lines, and are not what the log is full of")
    func refusedEncoders() async throws {
        let scene = try await AttackScene()
        let long = String(repeating: "n", count: 1_800)
        let before = scene.origin.log.utf8.count
        try await scene.play(memory: 64 << 20) { scene in
            for round in 0..<10 {
                var peers: [RawPeer] = []
                for _ in 0..<20 {
                    let peer = try await RawPeer.connect(port: scene.origin.rtmpPort)
                    await peer.offer(
                        RTMPBytes.opening() + RTMPBytes.createStream + RTMPBytes.publish("\(long)?user=\(long)&pass=p"))
                    peers.append(peer)
                }
                for peer in peers { try await eventually("its refusal") { peer.isClosed } }
                // After the sixty failures a minute that `api.rate_limit` allows, the name is not looked at any more.
                let code = round < 3 ? "NetStream.Publish.BadName" : "NetStream.Publish.Denied"
                #expect(peers.allSatisfy { $0.text.contains(code) }, "round \(round)")
            }
        }
        // Each line has two texts of 256 bytes, and one network has twenty lines a minute.
        #expect(scene.origin.logLines("publisher refused") <= 42)
        #expect(scene.origin.log.utf8.count - before < 42 * 1_000)
        try await scene.finish()
    }

    @Test("An aggregate of many thousand parts does not keep the event loop to itself", arguments: [20, 8])
    func aggregates(type: UInt8) async throws {
        let scene = try await AttackScene(["server.event_loops: 1"])
        try await scene.account.openStream("flood")
        // 8 MiB: commands that nobody knows, or audio of one byte.
        let body = type == 20 ? Array(RTMPBytes.unknownCommand.dropFirst(12)) : [0xAF]
        let flood = RTMPBytes.aggregate(
            type: type, body: body, count: 8_380_000 / (body.count + 15), stream: type == 20 ? 0 : 1)
        try await scene.play(memory: 96 << 20) { scene in
            let peer = try await RawPeer.connect(port: scene.origin.rtmpPort)
            await peer.offer(RTMPBytes.opening() + RTMPBytes.createStream + RTMPBytes.publish("flood") + flood)
            try await eventually("its end") { peer.isClosed }
        }
        try await scene.finish()
    }
}
