import Foundation
import Live
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import PushPublish

/// Real servers at the destination.
@Suite(.serialized, .timeLimit(.minutes(3))) struct RealProgramTests {
    /// Puts a file's tags on air, all at once.
    private func publish(_ file: FLVFile, _ stream: String, _ rig: PushRig) async throws -> Publication {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let publisher = Publisher(
            info: PublisherInfo(
                address: "192.0.2.1", software: "ffmpeg", transport: "rtmp", user: "", connected: Date()),
            disconnect: { _ in })
        let publication = try await rig.stage.publish(
            PushRig.address(stream), accountID: PushRig.accountID, settings: HubSettings(), publisher: publisher,
            on: loop)
        for tag in file.tags {
            publication.send(
                StreamSample(tag.type == .video ? .video : .audio, timestamp: tag.timestamp, body: tag.body))
        }
        publication.readComplete()
        return publication
    }

    private func expectAll(of file: FLVFile, in recording: String) async throws {
        let sent = try await DemultiplexedPacket.all(of: file.path)
        let received = try await DemultiplexedPacket.all(of: recording)
        #expect(sent.count > 200)
        for isVideo in [true, false] {
            let (got, expected) = (received.filter { $0.isVideo == isVideo }, sent.filter { $0.isVideo == isVideo })
            #expect(got.count == expected.count)
            #expect(got.difference(from: expected).isEmpty)
        }
    }

    @Test("nginx gets every access unit and is found again after a restart")
    func nginxGetsEveryAccessUnitAndIsFoundAgainAfterARestart() async throws {
        let folder = try Folder()
        let file = try await FLVFile.make(in: folder)
        let nginx = try NginxServer(folder: folder)
        try await PushRig.open { rig in
            let publication = try await publish(file, "s", rig)
            let name = try await rig.push("s", to: "\(nginx.url)/first-key")
            try await eventually("nobody is there") { await rig.report(name)?.lastError != nil }
            try nginx.start()
            try await rig.awaitStatus(.connected, of: name)
            let total = Int64(file.tags.reduce(0) { $0 + $1.body.readableBytes })
            try await eventually("all of it is sent") { await rig.report(name)?.bytesSent ?? 0 > total }
            #expect(try await rig.disconnect(name) == [name])
            try await eventually("all of it is recorded") {
                let size =
                    try? FileManager.default.attributesOfItem(atPath: folder.file("first-key.flv"))[.size] as? Int
                return size ?? 0 > Int(total)
            }
            try await expectAll(of: file, in: folder.file("first-key.flv"))

            let again = try await rig.push("s", to: "\(nginx.url)/second-key")
            try await rig.awaitStatus(.connected, of: again)
            try await nginx.stop()
            try await eventually("it is gone") {
                await rig.report(again)?.history.contains { $0.failure != nil } == true
            }
            try nginx.start()
            try await eventually("it is connected again") {
                let report = await rig.report(again)
                return report?.status == .connected && report?.reconnects ?? 0 >= 1
            }
            publication.end(isOrderly: true)
            try await rig.awaitStatus(.waiting, of: again)
        }
        try await nginx.stop()
    }

    @Test("ffmpeg gets every access unit and an orderly end")
    func ffmpegGetsEveryAccessUnitAndAnOrderlyEnd() async throws {
        let folder = try Folder()
        let file = try await FLVFile.make(in: folder)
        let port = try freePort()
        let ffmpeg = try ForeignProgram([
            "ffmpeg", "-v", "warning", "-y", "-listen", "1", "-i", "rtmp://127.0.0.1:\(port)/app/inst/key-abcd",
            "-c",
            "copy", "-f", "flv", folder.file("received.flv"),
        ])
        try await PushRig.open { rig in
            let publication = try await publish(file, "s", rig)
            let name = try await rig.supervisor.connect(
                PushRequest(
                    accountID: PushRig.accountID, source: PushRig.address("s"), service: "rtmp",
                    fields: [
                        "dst_host": "127.0.0.1", "dst_port": "\(port)", "dst_app": "app", "dst_inst": "inst",
                        "dst_stream": "key-abcd",
                    ]))
            try await rig.awaitStatus(.connected, of: name)
            publication.end(isOrderly: true)
            try await rig.awaitStatus(.waiting, of: name)
            try await ffmpeg.result()
            try await expectAll(of: file, in: folder.file("received.flv"))
        }
    }
}
