import GRDB

extension Migrations {
    /// Dates are microseconds since 1970, flags 0 or 1, maps JSON objects. Ids that customers see are never given twice.
    static func firstTables(_ database: Database) throws {
        for statement in accounts + streams + tickets + logs + others {
            try database.execute(sql: statement)
        }
    }

    private static let accounts = [
        """
        CREATE TABLE accounts (
            cdn INTEGER PRIMARY KEY,
            user TEXT NOT NULL UNIQUE,
            suspension TEXT,
            created INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE api_keys (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            cdn INTEGER NOT NULL REFERENCES accounts (cdn),
            api_key TEXT NOT NULL UNIQUE,
            private_key TEXT NOT NULL,
            rights TEXT NOT NULL,
            label TEXT NOT NULL,
            created INTEGER NOT NULL,
            revoked INTEGER
        ) STRICT
        """,
        "CREATE INDEX api_keys_of_account ON api_keys (cdn)",
    ]

    private static let streams = [
        """
        CREATE TABLE streams (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            cdn INTEGER NOT NULL REFERENCES accounts (cdn),
            app TEXT NOT NULL,
            stream TEXT NOT NULL,
            protection TEXT NOT NULL,
            reconnect_window INTEGER,
            ends_on_unpublish INTEGER NOT NULL,
            playlist_count INTEGER,
            record INTEGER NOT NULL,
            record_type TEXT,
            segment_type TEXT,
            segment_value TEXT,
            save_folder TEXT,
            enable_dvr INTEGER NOT NULL,
            ga_key TEXT,
            created INTEGER NOT NULL,
            UNIQUE (app, stream)
        ) STRICT
        """,
        "CREATE INDEX streams_of_account ON streams (cdn)",
        """
        CREATE TABLE stream_users (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            stream_id INTEGER NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
            cdn INTEGER NOT NULL REFERENCES accounts (cdn),
            app TEXT NOT NULL,
            stream TEXT NOT NULL,
            user TEXT,
            password_hash TEXT,
            sealed_challenge_verifier TEXT,
            challenge_salt TEXT,
            created INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE UNIQUE INDEX stream_users_once ON stream_users (app, stream, ifnull(user, ''))",
        "CREATE INDEX stream_users_of_account ON stream_users (cdn)",
        "CREATE INDEX stream_users_of_stream ON stream_users (stream_id)",
        """
        CREATE TABLE pushes (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            cdn INTEGER NOT NULL REFERENCES accounts (cdn),
            name TEXT NOT NULL,
            service TEXT NOT NULL,
            app TEXT,
            instance TEXT,
            stream TEXT,
            autopush INTEGER NOT NULL,
            adaptive_group TEXT,
            push_source INTEGER NOT NULL,
            destination TEXT NOT NULL,
            created INTEGER NOT NULL,
            updated INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX pushes_of_account ON pushes (cdn)",
    ]

    private static let tickets = [
        """
        CREATE TABLE tickets (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            cdn INTEGER NOT NULL REFERENCES accounts (cdn),
            key TEXT NOT NULL UNIQUE,
            pass TEXT NOT NULL,
            ip TEXT NOT NULL,
            app TEXT NOT NULL,
            video TEXT NOT NULL,
            uses INTEGER NOT NULL,
            used_count INTEGER NOT NULL CHECK (uses = 0 OR used_count <= uses),
            is_active INTEGER NOT NULL,
            created INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            last_used INTEGER,
            claimed_networks TEXT NOT NULL,
            revision INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE UNIQUE INDEX tickets_by_revision ON tickets (revision)",
        "CREATE INDEX tickets_of_account ON tickets (cdn)",
        """
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            ticket_id INTEGER NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
            address TEXT NOT NULL,
            app TEXT NOT NULL,
            video TEXT NOT NULL,
            is_joinable INTEGER NOT NULL,
            started INTEGER NOT NULL,
            last_seen INTEGER NOT NULL,
            ended INTEGER
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE INDEX sessions_to_join ON sessions (ticket_id, address, app, video, last_seen)
        WHERE is_joinable = 1 AND ended IS NULL
        """,
        "CREATE INDEX sessions_by_age ON sessions (last_seen)",
        // For the cascade, which the partial index above does not serve.
        "CREATE INDEX sessions_of_ticket ON sessions (ticket_id)",
    ]

    /// `address_key` is `IPAddress.sortKey`, so that a network is a range; NULL for an address that is none.
    /// `folding_key` is a hash of what refusals must share to be folded.
    private static let logs = [
        """
        CREATE TABLE attempts (
            id INTEGER PRIMARY KEY,
            cdn INTEGER NOT NULL,
            date INTEGER NOT NULL,
            key TEXT NOT NULL,
            pass TEXT NOT NULL,
            address TEXT NOT NULL,
            address_key BLOB,
            video TEXT NOT NULL,
            app TEXT NOT NULL,
            instance TEXT NOT NULL,
            page_url TEXT NOT NULL,
            referrer_url TEXT NOT NULL,
            is_success INTEGER NOT NULL,
            reason TEXT NOT NULL,
            server_address TEXT NOT NULL,
            repeats INTEGER NOT NULL,
            folding_key INTEGER
        ) STRICT
        """,
        "CREATE INDEX attempts_by_date ON attempts (cdn, date)",
        "CREATE INDEX attempts_by_key ON attempts (cdn, key, date)",
        "CREATE INDEX attempts_by_pass ON attempts (cdn, pass, date)",
        "CREATE INDEX attempts_by_video ON attempts (cdn, video, date)",
        "CREATE INDEX attempts_by_address ON attempts (cdn, address_key, date)",
        "CREATE INDEX attempts_by_age ON attempts (date)",
        "CREATE INDEX attempts_to_fold ON attempts (folding_key, date) WHERE folding_key IS NOT NULL",
        """
        CREATE TABLE origin_events (
            id INTEGER PRIMARY KEY,
            cdn INTEGER NOT NULL,
            date INTEGER NOT NULL,
            kind TEXT NOT NULL,
            app TEXT NOT NULL,
            instance TEXT NOT NULL,
            stream TEXT NOT NULL,
            is_authenticated INTEGER NOT NULL,
            user TEXT NOT NULL,
            address TEXT NOT NULL,
            metadata TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX origin_events_by_app ON origin_events (cdn, app, date)",
        "CREATE INDEX origin_events_by_age ON origin_events (date)",
    ]

    private static let others = [
        """
        CREATE TABLE replays (
            digest TEXT PRIMARY KEY,
            reply TEXT,
            claimed INTEGER NOT NULL,
            expires INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX replays_by_age ON replays (expires)",
        """
        CREATE TABLE sequences (
            name TEXT PRIMARY KEY,
            next INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
    ]
}
