import Foundation
import TestSupport

/// Runs a real program and gives what it writes.
enum Program {
    /// - Parameter input: to the program's standard input.
    static func run(_ arguments: [String], input: [UInt8] = []) async throws -> [UInt8] {
        Array(try await ForeignProgram.output(of: arguments, input: Data(input)).output)
    }
}

/// A file beside the tests.
func fixture(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: Places.repository + "/Tests/ControlAPITests/Fixtures/" + name)))
}
