import Basics
import Foundation
import Live

/// One field of a command, declared once: the documentation says of it, and `Fields.read` reads it by, what stands here.
struct CommandField<Value: Sendable>: Sendable {
    let name: String
    /// Other names of the field, as older clients spell it. The first name with something in it counts.
    let aliases: [String]
    let isRequired: Bool
    /// The sentence of the documentation.
    let text: String
    let kind: FieldKind<Value>
    /// It is checked and kept, and nothing comes of it in this version.
    var isNotYet = false

    static func required(
        _ name: String, _ kind: FieldKind<Value>, aliases: [String] = [], _ text: String
    ) -> CommandField {
        CommandField(name: name, aliases: aliases, isRequired: true, text: text, kind: kind)
    }

    static func optional(
        _ name: String, _ kind: FieldKind<Value>, aliases: [String] = [], _ text: String
    ) -> CommandField {
        CommandField(name: name, aliases: aliases, isRequired: false, text: text, kind: kind)
    }

    /// The field is checked and kept, and nothing comes of it in this version.
    var notYet: CommandField {
        var field = self
        field.isNotYet = true
        return field
    }

    /// The same field of another command, which says something else of it.
    func saying(_ text: String, isRequired: Bool = false) -> CommandField {
        CommandField(name: name, aliases: aliases, isRequired: isRequired, text: text, kind: kind)
    }
}

/// How the value of a field is read: the coercions that clients need, and what is said of a wrong one.
struct FieldKind<Value: Sendable>: Sendable {
    /// nil when the field is absent, null, empty, or wrong, which `Fields` then has collected.
    let read: @Sendable (_ fields: inout Fields, _ name: String) -> Value?
}

extension FieldKind<String> {
    static var text: FieldKind { text(maximum: 1_024) }

    /// - Parameter maximum: bytes.
    static func text(maximum: Int) -> FieldKind {
        FieldKind { $0.text($1, maximum: maximum) }
    }

    /// One of a fixed set of words, kept as text.
    static func word<Word: RawRepresentable<String> & CaseIterable & SendableMetatype>(of _: Word.Type) -> FieldKind {
        FieldKind { $0.choice($1, Word.self)?.rawValue }
    }

    /// An app of the account, by either of its names. Another account's is answered like one that cannot be: it is never visible.
    static var ownApp: FieldKind {
        FieldKind { fields, name in
            guard let app = fields.text(name, maximum: 128) else { return nil }
            guard fields.account.owns(app: app), StreamAddress.isValidName(app) else {
                fields.invalid(name, "an application of the account, which begins with \(fields.account.user)-")
                return nil
            }
            return AppName.published(app)
        }
    }

    /// Names of apps, in which `*` stands for any characters. With an instance behind it, as in `demo-origin/live`, one matches
    /// nothing, which nobody would notice.
    /// - Parameter maximum: bytes.
    static func appPattern(maximum: Int = 1_024) -> FieldKind {
        FieldKind { fields, name in
            guard let text = fields.text(name, maximum: maximum) else { return nil }
            guard !text.utf8.contains(UInt8(ascii: "/")) else {
                fields.invalid(
                    name, "the name of an application without its instance, such as \(fields.account.user)-origin")
                return nil
            }
            return text
        }
    }

    /// An instance or stream name.
    /// - Parameter allowsStar: `*` stands for every stream.
    static func streamName(allowsStar: Bool) -> FieldKind {
        FieldKind { fields, name in
            guard let text = fields.text(name, maximum: 128) else { return nil }
            guard StreamAddress.isValidName(text) || (allowsStar && text == "*") else {
                fields.invalid(
                    name, "1 to 128 letters, digits, - _ . or ~" + (allowsStar ? ", or * for every stream" : ""))
                return nil
            }
            return text
        }
    }

    static var streamName: FieldKind { streamName(allowsStar: false) }
}

extension FieldKind<[String]> {
    /// Texts, as a list or as the lines of one text; empty lines are none.
    /// - Parameters:
    ///   - most: how many.
    ///   - bytes: of each.
    static func lines(most: Int, bytes: Int) -> FieldKind {
        FieldKind { $0.lines($1, most: most, bytes: bytes) }
    }
}

extension FieldKind<Int> {
    static func integer(_ range: ClosedRange<Int>) -> FieldKind {
        FieldKind { $0.integer($1, range) }
    }
}

extension FieldKind<Int64> {
    /// The number of a row.
    static var id: FieldKind {
        FieldKind { $0.integer($1, 1...Int.max).map { Int64($0) } }
    }
}

extension FieldKind<Bool> {
    static var boolean: FieldKind {
        FieldKind { $0.boolean($1) }
    }
}

extension FieldKind<Date> {
    static var date: FieldKind {
        FieldKind { $0.date($1) }
    }
}

extension FieldKind where Value: RawRepresentable<String> & CaseIterable {
    static var choice: FieldKind {
        FieldKind { $0.choice($1, Value.self) }
    }
}

/// A field of a command that is kept in a record, declared once: what the documentation says of it, how it is read, and where
/// in the record it goes.
struct RecordField<Record: Sendable>: Sendable {
    typealias Change = @Sendable (_ record: inout Record) -> Void

    let description: CommandDescription.Field
    /// What the request changes in a record; nil: nothing.
    let read: @Sendable (_ fields: inout Fields) -> Change?

    init<Value>(_ field: CommandField<Value>, _ place: WritableKeyPath<Record, Value> & Sendable) {
        self.init(field) { $0[keyPath: place] = $1 }
    }

    init<Value>(_ field: CommandField<Value>, _ set: @escaping @Sendable (inout Record, Value) -> Void) {
        description = CommandDescription.Field(field)
        read = { fields in
            guard let value = fields.read(field) else { return nil }
            return { set(&$0, value) }
        }
    }

    /// - Parameter isTakenAway: whether a field that is given with nothing in it takes away what the record has.
    init<Value>(
        _ field: CommandField<Value>, _ place: WritableKeyPath<Record, Value?> & Sendable, isTakenAway: Bool = false
    ) {
        description = CommandDescription.Field(field)
        read = { fields in
            let value = fields.read(field)
            guard value != nil || (isTakenAway && fields.has(field.name)) else { return nil }
            return { $0[keyPath: place] = value }
        }
    }
}

extension CommandDescription.Field {
    init<Value>(_ field: CommandField<Value>) {
        self.init(
            name: field.name, aliases: field.aliases, isRequired: field.isRequired, text: field.text,
            isNotYet: field.isNotYet)
    }
}

extension [CommandDescription.Field] {
    /// The fields as the documentation lists them, in their order.
    static func list<each Value>(_ fields: repeat CommandField<each Value>) -> [CommandDescription.Field] {
        var list: [CommandDescription.Field] = []
        for field in repeat each fields {
            list.append(CommandDescription.Field(field))
        }
        return list
    }
}
