import Basics
import Testing

@Suite struct FieldProblemTests {
    @Test("A problem reads as a sentence that names the field, what was expected and what stood there")
    func sentences() {
        #expect(FieldProblem.missing("uses").description == "uses is missing")
        #expect(
            FieldProblem.invalid("uses", expected: "must be an integer").description == "uses must be an integer")
        let address = FieldProblem.invalid("ip", value: "1.2.3", expected: "must be an address")
        #expect(address.description == "ip must be an address, not 1.2.3")
        #expect(
            FieldProblems([.missing("app"), address]).description
                == "app is missing; ip must be an address, not 1.2.3")
    }

    @Test("A value is kept to 256 bytes, whatever its characters are made of")
    func longValues() {
        // One character for Swift, however many accents it bears.
        let accents = "e" + String(repeating: "\u{301}", count: 100_000)
        #expect(FieldProblem.invalid("f", value: accents[...], expected: "must be short").value.utf8.count <= 256)
    }
}
