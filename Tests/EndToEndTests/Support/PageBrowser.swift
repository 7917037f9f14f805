import Foundation
import Synchronization
import TestSupport

/// Headless Chromium on one page, which is looked into through the DevTools protocol: what it says and does, as somebody before it
/// would see it.
final class PageBrowser: Sendable {
    private struct State {
        var last = 0
        /// Where in the answers' file the next one begins.
        var offset = 0
        var answers: [Int: Data] = [:]
        var session: String?
    }

    private let folder: Folder
    private let chromium: ForeignProgram
    private let requests: FileHandle
    private let state = Mutex(State())

    /// - Parameter options: further ones of Chromium.
    init(_ address: String, size: String = "800,450", options: [String] = []) throws {
        folder = try Folder()
        let fifo = folder.file("requests")
        guard mkfifo(fifo, 0o600) == 0, FileManager.default.createFile(atPath: folder.file("answers"), contents: nil),
            // Open for both, so that neither side waits for the other.
            let requests = FileHandle(forUpdatingAtPath: fifo)
        else { throw ProgramFailure(description: "no pipe for the browser") }
        self.requests = requests
        chromium = try ForeignProgram(
            [
                "/bin/sh", "-c", "exec \"$@\" 3<requests 4>>answers", "sh", "chromium", "--headless=new",
                "--no-sandbox",
                "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
                "--mute-audio", "--window-size=\(size)", "--user-data-dir=\(folder.file("profile"))",
                "--remote-debugging-pipe",
            ] + options + [address], environment: ["HOME": folder.path], directory: folder.path)
    }

    deinit {
        chromium.kill()
        try? requests.close()
    }

    func stop() {
        chromium.kill()
    }

    /// For a test's failure.
    var log: String { String(chromium.errors.suffix(1_000)) }

    /// The value of a JavaScript expression in the page, or in the frame whose address contains `frame`, as text; nil while there is
    /// no such page, or when the expression throws.
    func value(_ expression: String, in frame: String? = nil) async throws -> String? {
        guard let session = try await session(of: frame) else { return nil }
        let reply = try await call(
            "Runtime.evaluate", ["expression": "String(\(expression))", "returnByValue": true, "userGesture": true],
            session: session)
        let result = (reply["result"] as? [String: Any])?["result"] as? [String: Any]
        guard (reply["result"] as? [String: Any])?["exceptionDetails"] == nil else { return nil }
        return result?["value"] as? String
    }

    /// Waits until the expression has that value.
    func wait(for expression: String, toBe wanted: String, in frame: String? = nil) async throws {
        var last: String?
        do {
            try await eventually("\(expression) to be \(wanted)", within: .seconds(60)) {
                last = try await value(expression, in: frame)
                return last == wanted
            }
        } catch {
            let page = try await value("document.body.innerText", in: frame)
            throw ProgramFailure(description: "\(error); it is \(last ?? "not there"): \(page ?? ""); \(log)")
        }
    }

    /// Follows an address in the same tab.
    func open(_ address: String) async throws {
        guard let session = try await session(of: nil) else { return }
        _ = try await call("Page.navigate", ["url": address], session: session)
    }

    /// A picture of the page, as PNG.
    func screenshot() async throws -> Data {
        guard let session = try await session(of: nil) else { return Data() }
        let reply = try await call("Page.captureScreenshot", [:], session: session)
        let text = (reply["result"] as? [String: Any])?["data"] as? String
        return text.flatMap { Data(base64Encoded: $0) } ?? Data()
    }

    private func session(of frame: String?) async throws -> String? {
        if frame == nil, let known = state.withLock({ $0.session }) { return known }
        let targets = try await call("Target.getTargets", [:])
        let infos = (targets["result"] as? [String: Any])?["targetInfos"] as? [[String: Any]] ?? []
        let target = infos.first { info in
            guard let frame else { return info["type"] as? String == "page" }
            return (info["url"] as? String)?.contains(frame) ?? false
        }
        guard let id = target?["targetId"] as? String else { return nil }
        let attached = try await call("Target.attachToTarget", ["targetId": id, "flatten": true])
        let session = (attached["result"] as? [String: Any])?["sessionId"] as? String
        if frame == nil { state.withLock { $0.session = session } }
        return session
    }

    private func call(_ method: String, _ parameters: [String: Any], session: String? = nil) async throws -> [String:
        Any]
    {
        let id = state.withLock { state in
            state.last += 1
            return state.last
        }
        var request: [String: Any] = ["id": id, "method": method, "params": parameters]
        request["sessionId"] = session
        try requests.write(contentsOf: try JSONSerialization.data(withJSONObject: request) + [0])
        var answer: Data?
        try await eventually("the browser's answer to \(method): \(log)") {
            answer = takeAnswer(id)
            return answer != nil
        }
        return try JSONSerialization.jsonObject(with: answer ?? Data()) as? [String: Any] ?? [:]
    }

    private func takeAnswer(_ id: Int) -> Data? {
        state.withLock { state in
            if let file = FileHandle(forReadingAtPath: folder.file("answers")) {
                try? file.seek(toOffset: UInt64(state.offset))
                let new = (try? file.readToEnd()) ?? Data()
                try? file.close()
                for part in new.split(separator: 0, omittingEmptySubsequences: false).dropLast() {
                    state.offset += part.count + 1
                    let answer = try? JSONSerialization.jsonObject(with: Data(part)) as? [String: Any]
                    if let number = answer?["id"] as? Int { state.answers[number] = Data(part) }
                }
            }
            return state.answers.removeValue(forKey: id)
        }
    }
}
