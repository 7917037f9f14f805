import GRDB

extension Migrations {
    /// What was delivered, by day and by minute. Rows are added to by every node and never rewritten.
    static func usage(_ database: Database) throws {
        try database.execute(
            sql: """
                CREATE TABLE usage_days (
                    cdn INTEGER NOT NULL,
                    day INTEGER NOT NULL,
                    app TEXT NOT NULL,
                    stream TEXT NOT NULL,
                    instance TEXT NOT NULL,
                    delivery TEXT NOT NULL,
                    server TEXT NOT NULL,
                    bytes INTEGER NOT NULL,
                    viewer_time INTEGER NOT NULL,
                    PRIMARY KEY (cdn, day, app, stream, instance, delivery, server)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX usage_days_by_age ON usage_days (day);
                CREATE TABLE viewer_minutes (
                    cdn INTEGER NOT NULL,
                    app TEXT NOT NULL,
                    stream TEXT NOT NULL,
                    minute INTEGER NOT NULL,
                    instance TEXT NOT NULL,
                    server TEXT NOT NULL,
                    peak INTEGER NOT NULL,
                    viewer_time INTEGER NOT NULL,
                    PRIMARY KEY (cdn, app, stream, minute, instance, server)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX viewer_minutes_by_age ON viewer_minutes (minute, cdn, app, stream);
                """)
    }
}
