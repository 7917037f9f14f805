import GRDB

/// The steps by which databases of every age come to today's tables. A step that has been released is never changed;
/// what is different now is a new step at the end.
enum Migrations {
    /// - Parameter secret: what is sealed is sealed with.
    static func migrate(_ pool: DatabasePool, secret: ServerSecret) throws {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("001 first tables", migrate: firstTables)
        migrator.registerMigration("002 stream users by name") { database in
            try database.execute(
                sql: """
                    CREATE INDEX stream_users_by_name ON stream_users (app, user)
                    WHERE sealed_challenge_verifier IS NOT NULL
                    """)
        }
        migrator.registerMigration("003 settings that inherit", migrate: settingsThatInherit)
        migrator.registerMigration("004 tickets by pass") { database in
            try database.execute(sql: "CREATE INDEX tickets_by_pass ON tickets (cdn, pass)")
        }
        migrator.registerMigration("005 tickets by expiry") { database in
            try database.execute(sql: "CREATE INDEX tickets_by_expiry ON tickets (expires)")
        }
        migrator.registerMigration("006 attempts in volumes", migrate: attemptsInVolumes)
        migrator.registerMigration("020 usage", migrate: usage)
        migrator.registerMigration("030 secrets of signed tokens") { database in
            try database.execute(
                sql: """
                    ALTER TABLE streams ADD COLUMN sealed_token_secrets TEXT;
                    ALTER TABLE streams ADD COLUMN sealed_token_salt TEXT;
                    """)
        }
        migrator.registerMigration("040 max sessions") { database in
            try database.execute(
                sql: """
                    ALTER TABLE tickets ADD COLUMN max_sessions INTEGER NOT NULL DEFAULT 0;
                    CREATE INDEX sessions_of_connections ON sessions (ticket_id, last_seen)
                    WHERE is_joinable = 0 AND ended IS NULL
                    """)
        }
        migrator.registerMigration("050 changes of objects") { database in
            try database.execute(
                sql: """
                    ALTER TABLE replays ADD COLUMN objects TEXT NOT NULL DEFAULT '';
                    ALTER TABLE replays ADD COLUMN change INTEGER NOT NULL DEFAULT 0;
                    CREATE TABLE object_changes (
                        object TEXT PRIMARY KEY,
                        change INTEGER NOT NULL,
                        digest TEXT NOT NULL,
                        expires INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX object_changes_by_age ON object_changes (expires);
                    """)
        }
        migrator.registerMigration("031 countries and networks of streams") { database in
            for column in ["allowed_countries", "denied_countries", "allowed_networks", "denied_networks"] {
                try database.execute(sql: "ALTER TABLE streams ADD COLUMN \(column) TEXT")
            }
        }
        migrator.registerMigration("051 sealed secrets") { try sealedSecrets($0, secret) }
        migrator.registerMigration("060 deleted accounts") { database in
            try database.execute(
                sql: """
                    ALTER TABLE accounts ADD COLUMN deleted INTEGER;
                    CREATE INDEX accounts_deleted ON accounts (cdn) WHERE deleted IS NOT NULL;
                    """)
        }
        migrator.registerMigration("061 deletions in their order") { database in
            try database.execute(
                sql: "CREATE INDEX accounts_by_deletion ON accounts (deleted) WHERE deleted IS NOT NULL")
        }
        // A session's use moves it in one index, the one by age, and no longer in three.
        migrator.registerMigration("062 sessions by viewer") { database in
            try database.execute(
                sql: """
                    DROP INDEX sessions_to_join;
                    CREATE INDEX sessions_to_join ON sessions (ticket_id, address, app, video)
                    WHERE is_joinable = 1 AND ended IS NULL;
                    DROP INDEX sessions_of_connections;
                    CREATE INDEX sessions_of_connections ON sessions (ticket_id) WHERE is_joinable = 0 AND ended IS NULL;
                    """)
        }
        guard try !pool.read(migrator.hasBeenSuperseded) else {
            throw StoreError.failed("the database was written by a newer version of Playhouse")
        }
        guard try !pool.read(migrator.hasCompletedMigrations) else { return }
        try migrator.migrate(pool)
        // What was sealed does not stay behind in the log.
        pool.writeWithoutTransaction { _ = try? $0.checkpoint(.truncate) }
    }
}
