import Admission
import Basics
import Crypto
import Foundation
import Live
import Storage
import Usher

/// Which of the account's apps are meant: by name, or by the numbers of `video.getapps`.
struct AppSelection: Sendable, Hashable {
    var names: Set<String> = []
    var numbers: Set<Int64> = []

    /// The names, after a look at the account's apps where numbers are given.
    func resolved(_ context: CommandContext, field: String) async throws -> Set<String> {
        guard !numbers.isEmpty else { return names }
        var byNumber: [Int64: String] = [:]
        for app in try await AppSelection.all(context) { byNumber[AppSelection.number(of: app)] = app }
        var names = names
        for number in numbers {
            guard let name = byNumber[number] else {
                throw CommandFailure(invalid: [
                    .invalid(field, expected: "must be a number that video.getapps gives, or an application's name")
                ])
            }
            names.insert(name)
        }
        return names
    }

    /// The apps that the account has, has settings for, or was watched on.
    static func all(_ context: CommandContext) async throws -> [String] {
        let account = context.account
        let usage = try await context.environment.usage.usage(
            accountID: account.id, filter: UsageFilter(days: 0...Int(Int32.max)), by: [.app])
        let used = Set(usage.keys.map(\.app)).union(try await context.store.streams(accountID: account.id).map(\.app))
        return account.apps + used.subtracting(account.apps).sorted()
    }

    /// An app's number: the same on every node and after every restart, and another for every name.
    static func number(of app: String) -> Int64 {
        SHA256.hash(data: Array(app.utf8)).prefix(4).reduce(0) { $0 << 8 | Int64($1) } & 0x7FFF_FFFF
    }
}

extension FieldKind<AppSelection> {
    /// One or more of the account's apps, by either of their names or by number: a text, in which `|` may stand between them, or a
    /// list.
    static var ownApps: FieldKind {
        FieldKind { fields, name in
            var selection = AppSelection()
            for text in fields.texts(name, most: 32) ?? [] {
                if let number = Int64(text) {
                    selection.numbers.insert(number)
                } else if fields.account.owns(app: text), StreamAddress.isValidName(text) {
                    selection.names.insert(AppName.published(text))
                } else {
                    fields.invalid(
                        name, "an application of the account, which begins with \(fields.account.user)-")
                    return nil
                }
            }
            return selection == AppSelection() ? nil : selection
        }
    }
}

extension FieldKind<[String]> {
    /// Names of streams or paths of files, each with `*` for any characters: a text, in which `|` may stand between names, or a
    /// list. `_root_` is all of the app, as the original has it.
    static var videos: FieldKind {
        FieldKind { $0.texts($1, most: 100) }
    }
}

extension Fields {
    /// Texts in a list, or in one text with `|` between them; nil when there is none.
    fileprivate mutating func texts(_ field: String, most: Int) -> [String]? {
        var texts: [String] = []
        switch object[field] {
        case nil, .null?, .string("")?: return nil
        case .string(let text)?: texts = text.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        case .integer(let integer)?: texts = [String(integer)]
        case .array(let values)?:
            for value in values {
                switch value {
                case .string(let text): texts.append(text)
                case .integer(let integer): texts.append(String(integer))
                default: texts.append("")
                }
            }
        default: break
        }
        let isGood = texts.allSatisfy { text in
            (1...255).contains(text.utf8.count)
                && !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
        }
        guard (1...most).contains(texts.count), isGood else {
            invalid(field, "1 to \(most) names of 1 to 255 bytes, in a list or with | between them")
            return nil
        }
        return texts
    }
}

/// What `url` names: streams of an app.
struct VideoSelection: Sendable {
    /// As the client has it.
    let name: String
    let pattern: WildcardPattern

    init(_ name: String) {
        self.name = name
        pattern = WildcardPattern(name == "_root_" ? "*" : VideoName.normalized(name))
    }
}

/// The streams of apps that a command asks for.
struct StreamSelection: Sendable {
    private let apps: AppSelection
    /// nil: all, where the command does not need `url`.
    let videos: [VideoSelection]?

    init?(_ fields: inout Fields, videos: CommandField<[String]> = UsageFields.videos) {
        let apps = fields.read(UsageFields.apps)
        self.videos = fields.read(videos)?.map(VideoSelection.init)
        guard let apps, self.videos != nil || !videos.isRequired else { return nil }
        self.apps = apps
    }

    func appNames(_ context: CommandContext) async throws -> Set<String> {
        try await apps.resolved(context, field: UsageFields.apps.name)
    }
}

/// The fields that usage and viewers are asked by.
enum UsageFields {
    static let apps = CommandField.required(
        "app", .ownApps, "The application, or several: a list, or names with `|` between them.")
    static let videos = CommandField.required(
        "url", .videos,
        "The stream or VOD path, or several: a list, or names with `|` between them. `*` for any characters; `_root_`: all."
    )
    static let anyVideos = videos.saying(
        "The stream or VOD path, or several in the same way; all by default.")
    static let start = CommandField.optional("starttime", .date, "The first day, in any form that `expire` takes.")
    static let end = CommandField.optional("endtime", .date, "The last day, likewise.")
    static let month = CommandField.optional(
        "starttime", .date, "A day of the month, such as `2026-01-01`; the running month by default.")
}

/// Days as the commands count and show them.
enum UsageDays {
    /// So many days from a first one on; up to today without a first one.
    /// - Returns: nil when the last lies before the first.
    static func range(from start: Date?, to end: Date? = nil, atMost length: Int, now: Date) -> ClosedRange<Int>? {
        let given = end.map(UsageLog.day)
        let first = start.map(UsageLog.day) ?? (given ?? UsageLog.day(of: now)) - length + 1
        let last = min(given ?? first + length - 1, first + length - 1)
        return first <= last ? first...last : nil
    }

    /// All days of the month in which `date` lies.
    static func month(of date: Date) -> ClosedRange<Int> {
        let day = CivilDate(daysSinceEpoch: UsageLog.day(of: date))
        return month(year: day.year, month: day.month)
    }

    static func month(year: Int, month: Int) -> ClosedRange<Int> {
        let first = CivilDate(year: year, month: month, day: 1).daysSinceEpoch
        let next = CivilDate(year: month < 12 ? year : year + 1, month: month < 12 ? month + 1 : 1, day: 1)
        return first...(next.daysSinceEpoch - 1)
    }

    /// `2026-01-31`.
    static func text(_ day: Int) -> String {
        let day = CivilDate(daysSinceEpoch: day)
        return "\(day.year.padded(to: 4))-\(day.month.padded(to: 2))-\(day.day.padded(to: 2))"
    }

    /// `2026-01-31 12:05`, of minutes since 1970.
    static func text(minute: Int) -> String {
        let (day, rest) = minute.quotientAndRemainder(dividingBy: 1_440)
        return "\(text(day)) \((rest / 60).padded(to: 2)):\((rest % 60).padded(to: 2))"
    }
}

extension UsageAmount {
    /// Never less than none: what was counted on one day and turned out not to be taken on the next is taken off there.
    var deliveredBytes: Int64 { max(0, bytes) }

    /// Rounded.
    var viewerMinutes: Int64 { (viewerTime + 30_000) / 60_000 }
}

/// Bytes for people: `1.21 GB`, in powers of a thousand.
enum ByteText {
    private static let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]

    static func text(_ bytes: Int64) -> String {
        guard bytes >= 1_000 else { return "\(bytes) B" }
        var unit = 1
        var size = Int64(1_000)
        while unit + 1 < units.count, bytes / size >= 1_000 {
            size *= 1_000
            unit += 1
        }
        let hundredths = bytes / (size / 100) % 100
        return "\(bytes / size).\(hundredths.padded(to: 2)) \(units[unit])"
    }
}
