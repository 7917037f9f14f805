import Foundation
import TestSupport

/// One GET by curl, which neither asks for compression nor undoes it.
struct Web {
    let status: Int
    let headers: [String: String]
    let body: Data

    static func get(_ address: String, _ headers: [String] = []) async throws -> Web {
        let folder = try Folder()
        let arguments = ["curl", "-sS", "-D", folder.file("head"), "-o", folder.file("body")]
        let result = try await ForeignProgram.run(arguments + headers.flatMap { ["-H", $0] } + [address])
        guard result.status == 0 else { throw ProgramFailure(description: "\(address): \(result.errors)") }
        let lines = folder.read("head").split(whereSeparator: \.isNewline)
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { fields[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
        }
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return Web(
            status: status ?? 0, headers: fields,
            body: FileManager.default.contents(atPath: folder.file("body")) ?? Data())
    }
}
