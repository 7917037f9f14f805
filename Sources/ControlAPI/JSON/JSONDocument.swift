/// A parsed text, its bytes, and where the members of its top-level object stand in them.
public struct JSONDocument: Sendable {
    struct Span: Sendable, Hashable {
        var name: String
        /// From the opening quote of the name to the end of the value.
        var range: Range<Int>
    }

    /// The text as received.
    public let text: [UInt8]
    public let root: JSONValue
    let spans: [Span]

    /// The text without the top-level member `name`, every other byte unchanged; nil when there is no such member.
    ///
    /// The member goes with the comma before it, up to its own end; the first member goes with the comma after it, up
    /// to the next member. So the text a client had before it added the member comes back, wherever it put it.
    public func textRemoving(_ name: String) -> [UInt8]? {
        guard let index = spans.firstIndex(where: { $0.name == name }) else { return nil }
        var cut = spans[index].range
        if index > 0 {
            // Only white space and one comma stand between two members.
            let gap = spans[index - 1].range.upperBound..<cut.lowerBound
            let comma = gap.first { text[$0] == UInt8(ascii: ",") } ?? cut.lowerBound
            cut = comma..<cut.upperBound
        } else if spans.count > 1 {
            cut = cut.lowerBound..<spans[1].range.lowerBound
        }
        return Array(text[..<cut.lowerBound]) + text[cut.upperBound...]
    }
}
