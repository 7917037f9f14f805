import Basics
import Foundation
import GRDB

extension SQLiteStore {
    static func upsertStream(_ settings: StreamSettings, in database: Database) throws -> StreamSettings {
        let owner = try database.first(
            "SELECT cdn FROM streams WHERE app = ? AND stream = ?", [settings.app, settings.stream])
        if let owner, try owner.account("cdn") != settings.accountID {
            throw StoreError.duplicate("stream \(settings.app)/\(settings.stream)")
        }
        try StoreError.duplicate("stream \(settings.app)/\(settings.stream)") {
            try database.run(
                """
                INSERT INTO streams (
                    cdn, app, stream, protection, reconnect_window, ends_on_unpublish, playlist_count, record,
                    record_type, segment_type, segment_value, save_folder, enable_dvr, ga_key, created,
                    sealed_token_secrets, sealed_token_salt, allowed_countries, denied_countries, allowed_networks,
                    denied_networks
                ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (app, stream) DO UPDATE SET
                    protection = excluded.protection, reconnect_window = excluded.reconnect_window,
                    ends_on_unpublish = excluded.ends_on_unpublish, playlist_count = excluded.playlist_count,
                    record = excluded.record, record_type = excluded.record_type,
                    segment_type = excluded.segment_type, segment_value = excluded.segment_value,
                    save_folder = excluded.save_folder, enable_dvr = excluded.enable_dvr, ga_key = excluded.ga_key,
                    sealed_token_secrets = excluded.sealed_token_secrets,
                    sealed_token_salt = excluded.sealed_token_salt,
                    allowed_countries = excluded.allowed_countries, denied_countries = excluded.denied_countries,
                    allowed_networks = excluded.allowed_networks, denied_networks = excluded.denied_networks
                """,
                [
                    settings.accountID, settings.app, settings.stream, settings.protection?.rawValue,
                    settings.reconnectWindow, settings.endsOnUnpublish, settings.playlistCount, settings.record,
                    settings.recordType, settings.segmentType, settings.segmentValue, settings.saveFolder,
                    settings.enableDVR, settings.gaKey, settings.created.stored, settings.sealedTokenSecrets,
                    settings.sealedTokenSalt, settings.allowedCountries?.joined(separator: "|"),
                    settings.deniedCountries?.joined(separator: "|"),
                    settings.allowedNetworks?.map(\.description).joined(separator: "|"),
                    settings.deniedNetworks?.map(\.description).joined(separator: "|"),
                ])
        }
        try Self.settingsChanged(in: database)
        let stored = try database.first(
            "SELECT * FROM streams WHERE app = ? AND stream = ?", [settings.app, settings.stream])
        guard let stored else { throw StoreError.notFound("stream \(settings.app)/\(settings.stream)") }
        return try StreamSettings(stored)
    }

    public func stream(id: Int64) async throws -> StreamSettings? {
        try await read { try Self.stream(id: id, in: $0) }
    }

    static func stream(id: Int64, in database: Database) throws -> StreamSettings? {
        try database.first("SELECT * FROM streams WHERE id = ?", [id]).map(StreamSettings.init)
    }

    public func streams(accountID: AccountID) async throws -> [StreamSettings] {
        try await read {
            try $0.all("SELECT * FROM streams WHERE cdn = ? ORDER BY id", [accountID]).map(StreamSettings.init)
        }
    }

    public func streamSettings(app: String, stream: String) async throws -> [StreamSettings] {
        try await readBriefly { try Self.streamSettings(app: app, stream: stream, in: $0) }
    }

    static func streamSettings(app: String, stream: String, in database: Database) throws -> [StreamSettings] {
        try StreamSettings.inheritance(of: stream).compactMap { name in
            try database.first("SELECT * FROM streams WHERE app = ? AND stream = ?", [app, name])
                .map(StreamSettings.init)
        }
    }

    /// Whoever remembers settings asks for them anew.
    static func settingsChanged(in database: Database) throws {
        _ = try reserve(name: settingsRevision, count: 1, startingAt: 1, in: database)
    }

    public func currentSettingsRevision() async throws -> Int64 {
        try await read { database in
            try database.first("SELECT next - 1 AS current FROM sequences WHERE name = ?", [settingsRevision])?
                .integer("current") ?? 0
        }
    }

    static func insert(_ user: StreamUser, in database: Database) throws -> StreamUser {
        var user = user
        if user.streamID == 0 {
            let known = try database.first(
                "SELECT * FROM streams WHERE app = ? AND stream = ?", [user.app, user.stream]
            ).map(StreamSettings.init)
            let settings =
                try known
                ?? Self.upsertStream(
                    StreamSettings(
                        accountID: user.accountID, app: user.app, stream: user.stream, created: user.created),
                    in: database)
            guard settings.accountID == user.accountID else {
                throw StoreError.duplicate("stream \(user.app)/\(user.stream)")
            }
            user.streamID = settings.id
        }
        try StoreError.duplicate("stream user \(user.user ?? "without a name") of \(user.app)/\(user.stream)") {
            try database.run(
                """
                INSERT INTO stream_users (
                    stream_id, cdn, app, stream, user, password_hash, sealed_challenge_verifier, challenge_salt,
                    created
                ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    user.streamID, user.accountID, user.app, user.stream, user.user, user.passwordHash,
                    user.sealedChallengeVerifier, user.challengeSalt, user.created.stored,
                ])
        }
        user.id = database.lastInsertedRowID
        return user
    }

    public func streamUser(id: Int64) async throws -> StreamUser? {
        try await read { try Self.streamUser(id: id, in: $0) }
    }

    static func streamUser(id: Int64, in database: Database) throws -> StreamUser? {
        try database.first("SELECT * FROM stream_users WHERE id = ?", [id]).map(StreamUser.init)
    }

    public func streamUsers(accountID: AccountID, app: String?, stream: String?) async throws -> [StreamUser] {
        try await read { try Self.streamUsers(accountID: accountID, app: app, stream: stream, in: $0) }
    }

    static func streamUsers(accountID: AccountID, app: String?, stream: String?, in database: Database) throws
        -> [StreamUser]
    {
        try database.all(
            """
            SELECT * FROM stream_users
            WHERE cdn = ?1 AND (?2 IS NULL OR app = ?2) AND (?3 IS NULL OR stream = ?3) ORDER BY id
            """,
            [accountID, app, stream]
        ).map(StreamUser.init)
    }

    public func publishers(app: String, stream: String) async throws -> [StreamUser] {
        try await read { database in
            try database.all(
                """
                SELECT * FROM stream_users
                WHERE app = ?1 AND stream = CASE
                    WHEN EXISTS (SELECT 1 FROM stream_users WHERE app = ?1 AND stream = ?2) THEN ?2 ELSE '*' END
                ORDER BY id
                """,
                [app, stream]
            ).map(StreamUser.init)
        }
    }

    public func challengeUsers(app: String, user: String, limit: Int) async throws -> [StreamUser] {
        try await read { database in
            try database.all(
                """
                SELECT * FROM stream_users
                WHERE app = ? AND user = ? AND sealed_challenge_verifier IS NOT NULL ORDER BY id LIMIT ?
                """,
                [app, user, max(0, limit)]
            ).map(StreamUser.init).filter { $0.user == user }
        }
    }

    static func update(_ user: StreamUser, in database: Database) throws -> Bool {
        try database.run(
            """
            UPDATE stream_users SET password_hash = ?, sealed_challenge_verifier = ?, challenge_salt = ? WHERE id = ?
            """, [user.passwordHash, user.sealedChallengeVerifier, user.challengeSalt, user.id]) > 0
    }
}

private let settingsRevision = "stream settings revision"

extension StreamSettings {
    init(_ row: StoredRow) throws {
        self.init(
            id: try row.integer("id"), accountID: try row.account("cdn"), app: try row.text("app"),
            stream: try row.text("stream"), protection: try row.optionalChoice("protection"),
            sealedTokenSecrets: try row.optionalText("sealed_token_secrets"),
            sealedTokenSalt: try row.optionalText("sealed_token_salt"),
            allowedCountries: try row.optionalText("allowed_countries").map(Self.list),
            deniedCountries: try row.optionalText("denied_countries").map(Self.list),
            allowedNetworks: try row.optionalText("allowed_networks").map(Self.networks),
            deniedNetworks: try row.optionalText("denied_networks").map(Self.networks),
            reconnectWindow: try row.optionalInt("reconnect_window"),
            endsOnUnpublish: try row.optionalFlag("ends_on_unpublish"),
            playlistCount: try row.optionalInt("playlist_count"), record: try row.optionalFlag("record"),
            recordType: try row.optionalText("record_type"), segmentType: try row.optionalText("segment_type"),
            segmentValue: try row.optionalText("segment_value"), saveFolder: try row.optionalText("save_folder"),
            enableDVR: try row.optionalFlag("enable_dvr"), gaKey: try row.optionalText("ga_key"),
            created: try row.date("created"))
    }
}

extension StreamSettings {
    private static func list(_ text: String) -> [String] {
        text.split(separator: "|").map(String.init)
    }

    private static func networks(_ text: String) throws -> [IPNetwork] {
        try list(text).map { text in
            guard let network = IPNetwork(text) else { throw StoreError.failed("streams: no network: \(text)") }
            return network
        }
    }
}

extension StreamUser {
    init(_ row: StoredRow) throws {
        self.init(
            id: try row.integer("id"), streamID: try row.integer("stream_id"), accountID: try row.account("cdn"),
            app: try row.text("app"), stream: try row.text("stream"), user: try row.optionalText("user"),
            passwordHash: try row.optionalText("password_hash"),
            sealedChallengeVerifier: try row.optionalText("sealed_challenge_verifier"),
            challengeSalt: try row.optionalText("challenge_salt"), created: try row.date("created"))
    }
}
