import Foundation
import NIOCore
import NIOPosix
import RTMP

// rtmp-load view URL COUNT SECONDS: opens COUNT viewers of one stream.
// rtmp-load publish URL COUNT SECONDS FILE.flv: publishes the file COUNT times, as URL1, URL2 and so on.
//
// Says `running N` when all are, or after 60 seconds; counts for SECONDS; prints one line of JSON.

let arguments = CommandLine.arguments
let isPublishing = arguments.count == 6 && arguments[1] == "publish"
guard isPublishing || (arguments.count == 5 && arguments[1] == "view"), let url = try? RTMPURL(arguments[2]),
    let count = Int(arguments[3]), let seconds = Int(arguments[4]), count > 0, seconds > 0
else {
    say("usage: rtmp-load view|publish rtmp://host/app/instance/stream COUNT SECONDS [FILE.flv]")
    exit(64)
}

/// One line at once: whoever started this waits for it, also through a file, where `print` would keep it back.
func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}

/// Returns when so many run, or after 60 seconds.
func untilRunning(_ count: Int) async {
    let deadline = ContinuousClock.now + .seconds(60)
    while counts.running < count, ContinuousClock.now < deadline {
        try? await Task.sleep(for: .milliseconds(5))
    }
}

let counts = Counts()
let recording = isPublishing ? try? Recording(path: arguments[5]) : nil
if isPublishing, recording == nil {
    say("\(arguments[5]) is no FLV file with audio or video")
    exit(66)
}
let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
// In steps, as a listen queue is finite.
for index in 1...count {
    let bootstrap = ClientBootstrap(group: group).connectTimeout(.seconds(60)).channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
            guard let recording else {
                return try channel.pipeline.syncOperations.addHandler(Viewer(url: url, counts: counts))
            }
            var target = url
            target.stream += "\(index)"
            try channel.pipeline.syncOperations.addHandler(
                PublisherHandler(url: target, recording: recording, counts: counts))
        }
    }
    do {
        _ = try await bootstrap.connect(host: url.host, port: url.port).get()
    } catch {
        say("connection \(index): \(error)")
        exit(1)
    }
    // A publisher at once sends as much as it ever will, so the next one waits until this one has been let in.
    if isPublishing { await untilRunning(index) }
}
await untilRunning(count)
say("running \(counts.running)")
let before = counts.totalBytes
try await Task.sleep(for: .seconds(seconds))
let bits = (counts.totalBytes - before) * 8 / seconds
say("{\"running\":\(counts.running),\"seconds\":\(seconds),\"bits_per_second\":\(bits)}")
