import GRDB

extension Migrations {
    /// Settings of a stream may be NULL, which means that the stream inherits them. SQLite cannot take a column's NOT NULL away,
    /// so the table is made anew (https://sqlite.org/lang_altertable.html, section 7).
    ///
    /// What was never said used to be stored as the default, so nobody can tell the two apart: such values become NULL.
    /// `none` does only where the app's `*` asks for tickets: a stream that was opened there without a word closes, and
    /// whoever meant it open says so again.
    static func settingsThatInherit(_ database: Database) throws {
        let columns = """
            id, cdn, app, stream, protection, reconnect_window, ends_on_unpublish, playlist_count, record, record_type,
            segment_type, segment_value, save_folder, enable_dvr, ga_key, created
            """
        try database.execute(
            sql: """
                CREATE TABLE new_streams (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    cdn INTEGER NOT NULL REFERENCES accounts (cdn),
                    app TEXT NOT NULL,
                    stream TEXT NOT NULL,
                    protection TEXT,
                    reconnect_window INTEGER,
                    ends_on_unpublish INTEGER,
                    playlist_count INTEGER,
                    record INTEGER,
                    record_type TEXT,
                    segment_type TEXT,
                    segment_value TEXT,
                    save_folder TEXT,
                    enable_dvr INTEGER,
                    ga_key TEXT,
                    created INTEGER NOT NULL,
                    UNIQUE (app, stream)
                ) STRICT;
                INSERT INTO new_streams (\(columns)) SELECT \(columns) FROM streams;
                UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'streams')
                WHERE name = 'new_streams' AND EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'streams');
                INSERT INTO sqlite_sequence (name, seq)
                SELECT 'new_streams', seq FROM sqlite_sequence
                WHERE name = 'streams' AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'new_streams');
                UPDATE new_streams SET
                    ends_on_unpublish = nullif(ends_on_unpublish, 1), record = nullif(record, 0),
                    enable_dvr = nullif(enable_dvr, 0);
                UPDATE new_streams SET protection = NULL
                WHERE protection = 'none' AND EXISTS (
                    SELECT 1 FROM streams WHERE app = new_streams.app AND stream = '*' AND protection = 'sevu');
                DROP TABLE streams;
                ALTER TABLE new_streams RENAME TO streams;
                CREATE INDEX streams_of_account ON streams (cdn);
                """)
    }
}
