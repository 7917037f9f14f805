import Basics
import CSpawn
import Foundation
import Glibc
import NIOCore

/// ffmpeg, run once for one picture, and held in on all sides, since what it reads is a publisher's: of its own session, with
/// nothing open but its three pipes, no file that it could write, a limit of processor time and of memory, the lowest priority but
/// two, and an end after which it is killed. It reads and writes pipes and opens no address. When this process dies its input
/// ends, and so does it.
struct PictureProgram: Sendable {
    struct Failure: Error {
        /// What the program said, or what became of it.
        var sentence: String
    }

    /// A name to be looked for in `PATH`, or a path.
    var name: String
    /// Of the picture at most, in pixels; it is never larger than the video.
    var width: Int
    var processorSeconds = 3
    var seconds = 15.0

    private static let addressSpace = 1 << 20
    private static let maximumPicture = 4 << 20
    private static let maximumPixels = 7_680 * 4_320

    /// Where the program is; nil: nowhere.
    var path: String? {
        let places = name.contains("/") ? [""] : Self.searchPath.split(separator: ":").map { "\($0)/" }
        return places.map { $0 + name }.first { access($0, X_OK) == 0 }
    }

    private static var searchPath: String {
        getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
    }

    /// Makes the picture. Blocks its thread until the program has ended.
    /// - Parameters:
    ///   - path: the program's.
    ///   - input: fragmented MP4 that begins with a keyframe, in pieces.
    /// - Returns: a JPEG file.
    func picture(with path: String, of input: [ByteBuffer]) throws(Failure) -> ByteBuffer {
        var child = try Child(words: words(path))
        let ending = child.exchange(input, maximum: Self.maximumPicture, seconds: seconds)
        let output = child.output
        // All of it is there, or nobody waits for it any longer.
        child.end()
        if let ending { throw Failure(sentence: ending) }
        guard output.readableBytes > 4, output.getInteger(at: 0, as: UInt16.self) == 0xFFD8,
            output.getInteger(at: output.writerIndex - 2, as: UInt16.self) == 0xFFD9
        else { throw Failure(sentence: child.complaint.isEmpty ? "no picture came" : child.complaint) }
        return output
    }

    private func words(_ path: String) -> [String] {
        let limits = [
            "-c 0", "-f 0", "-t \(processorSeconds)", "-v \(Self.addressSpace)",
        ].map { "ulimit \($0); " }.joined()
        return [
            "/bin/sh", "-c", limits + "exec nice -n 17 \"$@\"", "sh", path, "-hide_banner", "-nostdin", "-loglevel",
            "error",
            "-threads", "1", "-protocol_whitelist", "pipe", "-max_pixels", "\(Self.maximumPixels)", "-skip_frame",
            "nokey",
            "-f", "mp4", "-i", "pipe:0", "-map", "0:v:0", "-frames:v", "1", "-vf",
            "scale=w=min(\(width)\\,iw):h=-2:flags=bilinear", "-pix_fmt", "yuvj420p", "-threads", "1", "-q:v", "4",
            "-f",
            "mjpeg", "pipe:1",
        ]
    }
}

/// A program that runs, with the near ends of its pipes.
private struct Child {
    private(set) var output = ByteBuffer()
    /// The beginning of what it wrote to its standard error.
    private(set) var complaint = ""
    private let process: pid_t
    private var input: CInt
    private let outputEnd: CInt
    private let errorEnd: CInt

    init(words: [String]) throws(PictureProgram.Failure) {
        // Sockets: writing to one whose reader is gone can be told not to raise SIGPIPE.
        var pairs: [(near: CInt, far: CInt)] = []
        while pairs.count < 3 {
            var ends: [CInt] = [-1, -1]
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
                let reason = SystemError.text(errno)
                for pair in pairs { for end in [pair.near, pair.far] { close(end) } }
                throw PictureProgram.Failure(sentence: reason)
            }
            pairs.append((ends[0], ends[1]))
        }
        (input, outputEnd, errorEnd) = (pairs[0].near, pairs[1].near, pairs[2].near)
        defer { for pair in pairs { close(pair.far) } }
        for end in [input, outputEnd, errorEnd] { _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK) }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, pair) in pairs.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, pair.far, CInt(number))
        }
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        let setSession: Int32 = 0x80  // POSIX_SPAWN_SETSID
        posix_spawnattr_setflags(
            &attributes, Int16(Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK) | setSession))
        // Nothing of this process's environment, where secrets may be.
        var words: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = [
            strdup("PATH=/usr/local/bin:/usr/bin:/bin"), strdup("LC_ALL=C"), nil,
        ]
        defer { for text in words + variables { free(text) } }
        var started: pid_t = 0
        let code = posix_spawn(&started, "/bin/sh", &actions, &attributes, &words, &variables)
        process = started
        guard code == 0 else {
            for end in [input, outputEnd, errorEnd] { close(end) }
            throw PictureProgram.Failure(sentence: "it cannot be started: \(SystemError.text(code))")
        }
    }

    /// Gives the program its input and takes what it writes until it writes no more.
    /// - Returns: why that was not waited for; nil: it was.
    mutating func exchange(_ input: [ByteBuffer], maximum: Int, seconds: Double) -> String? {
        var waiting = input[...]
        let deadline = NIODeadline.now() + .milliseconds(Int64(seconds * 1_000))
        var isOutputOpen = true
        var isErrorOpen = true
        while isOutputOpen || isErrorOpen {
            let left = (deadline - .now()).nanoseconds / 1_000_000
            guard left > 0 else { return "it took longer than \(seconds) s" }
            if waiting.isEmpty { closeInput() }
            var ends = [
                pollfd(fd: self.input, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: isOutputOpen ? outputEnd : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isErrorOpen ? errorEnd : -1, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&ends, nfds_t(ends.count), Int32(clamping: left)) >= 0 || errno == EINTR else {
                return SystemError.text(errno)
            }
            if ends[0].revents != 0 { give(&waiting) }
            if ends[1].revents != 0 { isOutputOpen = Self.take(from: outputEnd) { output.writeBytes($0) } }
            if ends[2].revents != 0 {
                isErrorOpen = Self.take(from: errorEnd) { bytes in
                    let text = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).first
                    if complaint.isEmpty, let text { complaint = String(text.unicodeScalars.prefix(200)) }
                }
            }
            if output.readableBytes > maximum { return "the picture is too large" }
        }
        return nil
    }

    private mutating func give(_ waiting: inout ArraySlice<ByteBuffer>) {
        guard var buffer = waiting.first else { return }
        let sent = buffer.withUnsafeReadableBytes {
            send(input, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if sent >= 0 {
            buffer.moveReaderIndex(forwardBy: sent)
            if buffer.readableBytes > 0 { waiting[waiting.startIndex] = buffer } else { waiting.removeFirst() }
        } else if errno != EAGAIN, errno != EINTR {
            // It has read enough.
            waiting = []
        }
    }

    /// - Returns: whether more may come.
    private static func take(from end: CInt, _ body: (ArraySlice<UInt8>) -> Void) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = read(end, &bytes, bytes.count)
        if count > 0 { body(bytes[..<count]) }
        return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))
    }

    private mutating func closeInput() {
        guard input >= 0 else { return }
        close(input)
        input = -1
    }

    /// Ends the program and whatever it has started, if need be, and waits for that.
    mutating func end() {
        closeInput()
        close(outputEnd)
        close(errorEnd)
        kill(-process, SIGKILL)
        var status: CInt = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
    }
}
