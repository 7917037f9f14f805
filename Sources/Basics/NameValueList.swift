/// Named values in their order: members of a JSON object, properties of an AMF object, parameters of a query.
public struct NameValueList<Value: Sendable & Hashable>: Sendable, Hashable {
    public struct Member: Sendable, Hashable {
        public var name: String
        public var value: Value

        public init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    /// In the order received, or in which they were set. Names may stand twice where the source allows it.
    public var members: [Member]

    public init(_ members: [Member] = []) {
        self.members = members
    }

    /// Reading gives the first member of that name. Setting replaces it in its place or appends it; setting nil removes
    /// all of that name.
    public subscript(name: String) -> Value? {
        get {
            members.first { $0.name == name }?.value
        }
        set {
            guard let newValue else {
                members.removeAll { $0.name == name }
                return
            }
            if let index = members.firstIndex(where: { $0.name == name }) {
                members[index].value = newValue
            } else {
                members.append(Member(name, newValue))
            }
        }
    }

    public func removing(_ name: String) -> NameValueList {
        NameValueList(members.filter { $0.name != name })
    }
}

extension NameValueList: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, Value)...) {
        self.init(elements.map { Member($0.0, $0.1) })
    }
}
