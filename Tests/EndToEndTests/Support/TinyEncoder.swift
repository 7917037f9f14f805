import Basics
import ControlAPI
import Foundation
import TestSupport

/// ffmpeg, publishing a small moving picture with sound in real time until it is ended. A keyframe every half second.
final class TinyEncoder: Sendable {
    let program: ForeignProgram

    /// - Parameter url: where to publish, credentials included.
    init(to url: String) throws {
        program = try ForeignProgram(
            [
                "ffmpeg", "-hide_banner", "-loglevel", "warning", "-nostdin", "-re", "-f", "lavfi", "-i",
                "testsrc2=size=128x72:rate=10", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100", "-c:v",
                "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-threads", "1", "-pix_fmt", "yuv420p",
                "-b:v", "60k", "-g", "5", "-c:a", "aac", "-b:a", "32k", "-f", "flv", url,
            ])
    }

    /// An orderly unpublish.
    func stop() async throws {
        program.signal(SIGTERM)
        try await program.result(within: 30)
    }
}

extension OriginProcess {
    /// Settings for short streams: segments of half a second, pushes that are tried again at once.
    static let quick = ["hls.segment_duration: 0.5", "push.retry_initial: 0.1", "push.retry_max: 1"]
    /// Pushes may go to this machine.
    static let loopbackPushes = "push.allow_private: [127.0.0.0/8]"

    /// Publishes a stream that anybody may publish, and waits until it is on air.
    func publish(_ stream: String, as account: TestAccount, _ settings: JSONObject = [:]) async throws -> TinyEncoder {
        try await account.openStream(stream, settings)
        let encoder = try TinyEncoder(to: rtmp(stream))
        try await account.awaitOnAir(stream, encoder)
        return encoder
    }
}

extension TestAccount {
    /// `stream.details`' stream; nil off the air.
    func details(_ stream: String) async throws -> JSONObject? {
        let fields: JSONObject = ["app": .string("\(name)-origin"), "inst": "live", "stream": .string(stream)]
        return try await call("stream.details", fields)["stream"]?.objectValue
    }

    func awaitOnAir(_ stream: String, _ encoder: TinyEncoder) async throws {
        try await eventually("\(stream) on air") {
            guard encoder.program.isRunning else {
                throw ProgramFailure(description: "the encoder ended: \(encoder.program.errors)")
            }
            return try await details(stream) != nil
        }
    }

    /// The push sessions that `stream.details` shows.
    func pushes(of stream: String) async throws -> [JSONObject] {
        try await details(stream)?["pushpublish"]?.arrayValue?.compactMap(\.objectValue) ?? []
    }

    /// Waits until the session of that name has that status, and gives its row.
    @discardableResult
    func awaitPush(_ entryName: String, of stream: String, _ status: String) async throws -> JSONObject {
        var row: JSONObject?
        do {
            try await eventually("\(entryName) \(status)", within: .seconds(40)) {
                row = try await pushes(of: stream).first { $0["entry_name"] == .string(entryName) }
                return row?["status"] == .string(status)
            }
        } catch {
            throw ProgramFailure(description: "\(error); it is \(row.map { $0.text } ?? "not there")")
        }
        guard let row else { throw ProgramFailure(description: "\(entryName) is not there") }
        return row
    }
}

extension JSONObject {
    var text: String { String(decoding: JSONWriter.write(self), as: UTF8.self) }

    var names: [String] { members.map(\.name) }

    func string(_ name: String) -> String { self[name]?.stringValue ?? "" }

    func integer(_ name: String) -> Int64? {
        if case .integer(let integer)? = self[name] { integer } else { nil }
    }
}
