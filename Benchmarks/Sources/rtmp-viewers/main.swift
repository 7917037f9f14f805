import Foundation
import NIOCore
import NIOPosix
import RTMP

// rtmp-viewers URL COUNT SECONDS: opens COUNT viewers of an RTMP stream, says `playing` when all do, counts for SECONDS and
// prints one line of JSON.

let arguments = CommandLine.arguments
guard arguments.count == 4, let url = try? RTMPURL(arguments[1]), let count = Int(arguments[2]),
    let seconds = Int(arguments[3]), count > 0, seconds > 0
else {
    print("usage: rtmp-viewers rtmp://host/app/instance/stream COUNT SECONDS")
    throw ExitFailure()
}

struct ExitFailure: Error {}

/// One line at once: whoever started this waits for it, also through a file, where `print` would keep it back.
func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}

let counts = Counts()
let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup(numberOfThreads: 1))
    .connectTimeout(.seconds(10))
    .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(Viewer(url: url, counts: counts))
        }
    }
// In steps, as a listen queue is finite.
for _ in 0..<count {
    _ = try await bootstrap.connect(host: url.host, port: url.port).get()
}
let deadline = ContinuousClock.now + .seconds(30)
while counts.viewersPlaying < count, ContinuousClock.now < deadline {
    try await Task.sleep(for: .milliseconds(50))
}
say("playing \(counts.viewersPlaying)")
let before = counts.totalBytes
try await Task.sleep(for: .seconds(seconds))
let bits = (counts.totalBytes - before) * 8 / seconds
say(
    "{\"viewers\":\(counts.viewersPlaying),\"seconds\":\(seconds),\"bits_per_second\":\(bits),"
        + "\"bits_per_second_per_viewer\":\(bits / max(1, counts.viewersPlaying))}")
