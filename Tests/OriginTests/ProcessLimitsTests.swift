import Testing

@testable import Origin

@Suite("Limits of the process") struct ProcessLimitsTests {
    @Test(
        "There are no more connections than the process may have files, less those it needs itself",
        arguments: [
            (20_000, 1_048_576, 20_000), (20_000, 4_096, 3_896), (20_000, 1_024, 824), (100, 300, 100), (100, 10, 1),
        ])
    func connections(wanted: Int, files: Int, expected: Int) {
        #expect(ProcessLimits.connections(wanted, files: files) == expected)
    }
}
