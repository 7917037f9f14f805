import Basics

/// The ticket on a playlist's URL: `?key=…&pass=…`. Other parameters are the page's own and are dropped.
struct PresentedTicket: Sendable, Hashable {
    var key: String?
    var pass: String?

    /// Keys and passes are short (peers R-A11); what is longer than this is no ticket of ours.
    static let maximumLength = 512

    /// - Parameter query: without the question mark. Of repeated parameters the first counts; one that is too long or
    ///   broken counts as absent.
    init(query: Substring?) {
        guard let query, query.utf8.count <= 8_192 else { return }
        for parameter in query.utf8.split(separator: UInt8(ascii: "&")) {
            guard let equals = parameter.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = parameter[..<equals]
            let isKey = name.elementsEqual("key".utf8)
            guard isKey ? key == nil : pass == nil && name.elementsEqual("pass".utf8) else { continue }
            guard let value = PercentCoding.strictText(of: parameter[parameter.index(after: equals)...]),
                value.utf8.count <= Self.maximumLength
            else { continue }
            if isKey { key = value } else { pass = value }
        }
    }
}
