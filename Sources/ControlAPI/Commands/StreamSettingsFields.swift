import Basics
import Storage
import Usher

/// The stream settings that `sevu.addstreamuser` and `sevu.updatestream` take; only what is given changes.
struct StreamSettingsFields: Sendable {
    private enum ProtectionChoice: String, CaseIterable {
        case none, sevu, hmac, geoip, inherit

        var protection: Protection? { Protection(rawValue: rawValue) }
    }
    private enum RecordType: String, CaseIterable { case stream, event }
    private enum SegmentType: String, CaseIterable { case disabled, schedule, duration, size }

    private static let all: [RecordField<StreamSettings>] = [
        RecordField(
            .optional(
                "protection", .choice,
                "Whether viewers need a ticket (`sevu`), a signed token (`hmac`), to be where the lists below say "
                    + "(`geoip`), or nothing (`none`); `inherit`: as the app's `*` "
                    + "says, or the configuration."
            )
        ) { (row: inout StreamSettings, choice: ProtectionChoice) in row.protection = choice.protection },
        RecordField(
            .optional(
                "reconnect_window", .integer(0...1_800), aliases: ["playlist_timeout"],
                "Seconds a dropped encoder has to return, 0 to 1800. Also `playlist_timeout`."), \.reconnectWindow),
        RecordField(
            .optional(
                "end_on_unpublish", .boolean, "Whether an orderly unpublish ends the stream at once; true by default."),
            \.endsOnUnpublish),
        RecordField(
            .optional(
                "playlist_count", .integer(StreamSettings.playlistCounts), "Segments in the HLS playlist, 3 to 120."),
            \.playlistCount),
        RecordField(
            .optional("record", .boolean, "Whether it is recorded on publish.").notYet,
            \.record),
        RecordField(
            .optional("record_type", .word(of: RecordType.self), "`stream` or `event`.").notYet, \.recordType),
        RecordField(
            .optional(
                "segment_type", .word(of: SegmentType.self), "`disabled`, `schedule`, `duration` or `size`."
            ).notYet,
            \.segmentType),
        RecordField(
            .optional(
                "segment_value", .text(maximum: 128), "Megabytes, minutes or a cron line, as `segment_type` says."
            ).notYet,
            \.segmentValue),
        RecordField(
            .optional("save_folder", .text(maximum: 512), "Where recordings go.").notYet, \.saveFolder),
        RecordField(.optional("enable_dvr", .boolean, "Whether viewers may rewind.").notYet, \.enableDVR),
        RecordField(.optional("ga_key", .text(maximum: 128), "Google Analytics key.").notYet, \.gaKey),
    ]

    private static let secrets = CommandField.optional(
        "hmac_secrets", .tokenSecrets,
        "What `hdnea` tokens are signed with: 32 to 256 hexadecimal digits, or several such, as a list or with commas, of which any "
            + "is good (give old and new ones while one takes the other's place); `inherit`: those of the app's `*`.")
    private static let salt = CommandField.optional(
        "hmac_salt", .text(maximum: 256),
        "What is signed with the token and not sent in it, for signers that have one; it goes with `hmac_secrets` of the "
            + "stream's own. Empty: none.")

    private static let places: [RecordField<StreamSettings>] = [
        RecordField(
            .optional(
                "allow_countries", .countries,
                "Only from these countries: ISO 3166-1 codes such as `DE`, as a list or with commas; `none`; `inherit`: those of the "
                    + "app's `*`. Beside `sevu` and `hmac` too.")
        ) { (row: inout StreamSettings, list: PlaceList<String>) in row.allowedCountries = list.values },
        RecordField(.optional("deny_countries", .countries, "From anywhere but these countries, likewise.")) {
            (row: inout StreamSettings, list: PlaceList<String>) in row.deniedCountries = list.values
        },
        RecordField(
            .optional(
                "allow_networks", .networks,
                "From these addresses and CIDR blocks, likewise, whatever their country; without `allow_countries` from nowhere else."
            )
        ) { (row: inout StreamSettings, list: PlaceList<IPNetwork>) in row.allowedNetworks = list.values },
        RecordField(.optional("deny_networks", .networks, "Not from these, whatever the other lists say.")) {
            (row: inout StreamSettings, list: PlaceList<IPNetwork>) in row.deniedNetworks = list.values
        },
    ]

    static let descriptions =
        [all[0].description] + [CommandDescription.Field].list(secrets, salt) + places.map(\.description)
        + all.dropFirst().map(\.description)

    private let changes: [RecordField<StreamSettings>.Change]
    private let secrets: TokenSecretsChange?
    /// Empty: none.
    private let salt: String?

    init(_ fields: inout Fields) {
        changes = (Self.all + Self.places).compactMap { $0.read(&fields) }
        secrets = fields.read(Self.secrets)
        let salt = fields.read(Self.salt)
        self.salt = salt ?? (fields.object[Self.salt.name] == .string("") ? "" : nil)
    }

    /// - Parameter key: seals the secrets of tokens.
    /// - Throws: code 7 when there would be a salt for secrets that the stream does not have.
    func apply(to settings: inout StreamSettings, sealing key: ServerSecret) throws {
        for change in changes { change(&settings) }
        switch secrets {
        case .secrets(let secrets)?: try settings.setTokenSecrets(secrets, with: key)
        case .inherit?: try settings.setTokenSecrets(nil, with: key)
        case nil: break
        }
        guard let salt else { return }
        guard salt.isEmpty || settings.sealedTokenSecrets != nil else {
            throw CommandFailure(
                invalid: [
                    .invalid(Self.salt.name, expected: "goes with hmac_secrets of the stream's own, and it has none")
                ])
        }
        try settings.setTokenSalt(salt, with: key)
    }
}

/// What becomes of a stream's secrets.
enum TokenSecretsChange: Sendable {
    /// In hexadecimal.
    case secrets([String])
    case inherit
}

extension FieldKind<TokenSecretsChange> {
    /// Weaker secrets can be guessed.
    private static let digits = 32...256
    private static let most = 8

    static var tokenSecrets: FieldKind {
        FieldKind { fields, name in
            var texts: [String] = []
            switch fields.object[name] {
            case nil, .null?, .string("")?: return nil
            case .string("inherit")?: return .inherit
            case .string(let text)?:
                texts = text.split(separator: ",", omittingEmptySubsequences: false).map { text in
                    String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
                }
            case .array(let values)?: texts = values.map { $0.stringValue ?? "" }
            default: texts = [""]
            }
            let isGood = texts.allSatisfy {
                digits.contains($0.utf8.count) && HDNEASecret(hexadecimal: $0) != nil
            }
            // The value itself is a secret, and stays out of the message.
            guard isGood, (1...most).contains(texts.count), Set(texts.map { $0.lowercased() }).count == texts.count
            else {
                fields.invalid(
                    name,
                    "1 to \(most) different secrets of \(digits.lowerBound) to \(digits.upperBound) hexadecimal digits, an even "
                        + "number of them, or inherit")
                return nil
            }
            return .secrets(texts)
        }
    }
}

/// A list of countries or networks as given.
enum PlaceList<Element: Sendable>: Sendable {
    /// None where it is empty.
    case list([Element])
    case inherit

    var values: [Element]? {
        if case .list(let values) = self { values } else { nil }
    }
}

extension FieldKind<PlaceList<String>> {
    static var countries: FieldKind {
        places("ISO 3166-1 country codes such as DE (Great Britain's is GB)", CountryCode.normalized)
    }
}

extension FieldKind<PlaceList<IPNetwork>> {
    static var networks: FieldKind {
        places("IPv4 or IPv6 addresses or CIDR blocks") { IPNetwork($0) }
    }
}

extension FieldKind {
    /// Most entries of a list.
    private static var most: Int { 512 }

    /// - Parameter what: what the list must be of.
    fileprivate static func places<Element>(
        _ what: String, _ parse: @escaping @Sendable (String) -> Element?
    ) -> FieldKind where Value == PlaceList<Element> {
        FieldKind { fields, name in
            var texts: [String]
            switch fields.object[name] {
            case nil, .null?, .string("")?: return nil
            case .string("inherit")?: return .inherit
            case .string("none")?: texts = []
            case .string(let text)?: texts = text.split { ", |".contains($0) }.map(String.init)
            case .array(let values)?: texts = values.map { $0.stringValue ?? "" }
            default: texts = [""]
            }
            let values = texts.prefix(most + 1).compactMap(parse)
            guard values.count == texts.count, values.count <= most else {
                fields.invalid(name, "up to \(most) \(what), or none, or inherit")
                return nil
            }
            return .list(values)
        }
    }
}

extension JSONObject {
    mutating func add(warnings: [String]) {
        if !warnings.isEmpty { self["warnings"] = .array(warnings.map { .string($0) }) }
    }

    /// The settings of a stream that are in force, as the stream user commands show them.
    /// - Parameters:
    ///   - row: the stream's own.
    ///   - rows: what its settings come from, `row` included.
    ///   - tokens: what tokens are signed with, of which the last digits are shown.
    init(_ row: StreamSettings, inheriting rows: [StreamSettings], protection: Protection, tokens: TokenRule?) {
        func text(_ setting: KeyPath<StreamSettings, String?>) -> JSONValue {
            rows.inForce(setting).map { .string($0) } ?? .null
        }
        func list<Element: CustomStringConvertible>(_ setting: KeyPath<StreamSettings, [Element]?>) -> JSONValue {
            .array((rows.inForce(setting) ?? []).map { .string($0.description) })
        }
        func integer(_ setting: KeyPath<StreamSettings, Int?>) -> JSONValue {
            rows.inForce(setting).map { .int($0) } ?? .null
        }
        func flag(_ setting: KeyPath<StreamSettings, Bool?>, _ configured: Bool) -> JSONValue {
            .bool(rows.inForce(setting) ?? configured)
        }
        self = [
            "stream_id": .integer(row.id), "app": .string(row.app), "stream": .string(row.stream),
            "protection": .string(protection.rawValue),
            "hmac_secrets": .array((tokens?.secrets ?? []).map { .string($0.hint) }),
            "hmac_salt": .bool(tokens?.salt != nil),
            "allow_countries": list(\.allowedCountries), "deny_countries": list(\.deniedCountries),
            "allow_networks": list(\.allowedNetworks), "deny_networks": list(\.deniedNetworks),
            "reconnect_window": integer(\.reconnectWindow),
            "end_on_unpublish": flag(\.endsOnUnpublish, true), "playlist_count": integer(\.playlistCount),
            "record": flag(\.record, false), "record_type": text(\.recordType),
            "segment_type": text(\.segmentType), "segment_value": text(\.segmentValue),
            "save_folder": text(\.saveFolder), "enable_dvr": flag(\.enableDVR, false), "ga_key": text(\.gaKey),
        ]
    }
}
