import Foundation
import TestSupport

/// Headless Chromium on a page of the test's own web server.
final class Browser {
    /// One `fetch("report?…")` of the page.
    typealias Report = [String: String]

    private let folder: Folder
    private let server: ForeignProgram
    private let chromium: ForeignProgram

    static var isInstalled: Bool {
        ["/usr/bin/chromium", "/usr/local/bin/chromium"].contains { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// - Parameters:
    ///   - page: a fixture.
    ///   - files: further files beside it, by name.
    init(page: String, files: [String: String], query: String) async throws {
        folder = try Folder()
        try folder.write(try Fixture.text(page), to: page)
        for (name, path) in files {
            try FileManager.default.copyItem(atPath: path, toPath: folder.file(name))
        }
        let port = try FreePort.take()
        // It logs every request, those for `report` with what they report.
        let server = try ForeignProgram([
            "python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", folder.path, "\(port)",
        ])
        self.server = server
        try await eventually("the page's server: \(server.errors)") {
            (try? await HTTPGet("http://127.0.0.1:\(port)/\(page)").status) == 200
        }
        chromium = try ForeignProgram(
            [
                "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--autoplay-policy=no-user-gesture-required", "--user-data-dir=\(folder.file("profile"))",
                "http://127.0.0.1:\(port)/\(page)?\(query)",
            ], environment: ["HOME": folder.path])
    }

    /// What the page has reported so far, in its order.
    var reports: [Report] {
        server.errors.split(separator: "\n").compactMap { line in
            guard let query = line.firstMatch(of: /GET \/report\?(\S+) HTTP/)?.1,
                let items = URLComponents(string: "?\(query)")?.queryItems
            else { return nil }
            return Dictionary(items.map { ($0.name, $0.value ?? "") }) { first, _ in first }
        }
    }

    /// For a test's failure.
    var state: String {
        "chromium \(chromium.isRunning ? "runs" : "ended"): \(chromium.errors.suffix(1_000)) reports: \(reports.suffix(10))"
    }

    func stop() {
        chromium.kill()
        server.kill()
    }
}
