import Foundation
import GRDB

extension Migrations {
    /// Attempts have no index any more: the table keeps those that are in no volume yet, in the order of their recording, and its
    /// ids are never given twice.
    static func attemptsInVolumes(_ database: Database) throws {
        try database.execute(
            sql: """
                CREATE TABLE recorded_attempts (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    cdn INTEGER NOT NULL,
                    date INTEGER NOT NULL,
                    key TEXT NOT NULL,
                    pass TEXT NOT NULL,
                    address TEXT NOT NULL,
                    video TEXT NOT NULL,
                    app TEXT NOT NULL,
                    instance TEXT NOT NULL,
                    page_url TEXT NOT NULL,
                    referrer_url TEXT NOT NULL,
                    is_success INTEGER NOT NULL,
                    reason TEXT NOT NULL,
                    server_address TEXT NOT NULL,
                    repeats INTEGER NOT NULL
                ) STRICT;
                INSERT INTO recorded_attempts
                SELECT
                    id, cdn, date, key, pass, address, video, app, instance, page_url, referrer_url, is_success, reason,
                    server_address, repeats
                FROM attempts ORDER BY id;
                DROP TABLE attempts;
                ALTER TABLE recorded_attempts RENAME TO attempts;
                CREATE TABLE attempt_folds (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    attempt INTEGER NOT NULL,
                    added INTEGER NOT NULL
                ) STRICT;
                CREATE TABLE attempt_volumes (
                    file TEXT PRIMARY KEY,
                    first_id INTEGER NOT NULL,
                    last_id INTEGER NOT NULL,
                    rows INTEGER NOT NULL,
                    oldest INTEGER NOT NULL,
                    newest INTEGER NOT NULL
                ) STRICT;
                CREATE TABLE attempt_log (
                    generation INTEGER NOT NULL,
                    after INTEGER NOT NULL,
                    packing INTEGER NOT NULL,
                    salt BLOB NOT NULL
                ) STRICT;
                """)
        try database.execute(
            sql: "INSERT INTO attempt_log (generation, after, packing, salt) VALUES (0, 0, 0, randomblob(32))")
    }
}
