import GRDB

extension Migrations {
    /// Private keys, destinations of pushes and replies stood in clear, and what verifies challenges was sealed without saying
    /// whose it is.
    static func sealedSecrets(_ database: Database, _ secret: ServerSecret) throws {
        // Nor does it stay behind in what is free of pages.
        _ = try database.first("PRAGMA secure_delete = ON")
        defer { _ = try? database.first("PRAGMA secure_delete = OFF") }
        func seal(_ table: String, _ column: String, key: String, _ sealed: (StoredRow, String) throws -> String?)
            throws
        {
            for row in try database.all("SELECT \(key), \(column) FROM \(table) WHERE \(column) IS NOT NULL") {
                guard let text = try sealed(row, try row.text(column)) else { continue }
                try database.run(
                    "UPDATE \(table) SET \(column) = ? WHERE \(key) = ?", [text, row.value(key)])
            }
        }
        try seal("api_keys", "private_key", key: "api_key") { row, text in
            try secret.seal(text, context: APIKey.sealContext(try row.text("api_key")))
        }
        try seal("pushes", "destination", key: "id") { row, text in
            try secret.seal(text, context: PushService.sealContext(id: try row.integer("id")))
        }
        try seal("replays", "reply", key: "digest") { row, text in
            try secret.seal(text, context: ReplayClaim.sealContext(digest: try row.text("digest")))
        }
        try seal("stream_users", "sealed_challenge_verifier", key: "id") { row, text in
            let user = try database.first("SELECT app, stream, user FROM stream_users WHERE id = ?", [row.value("id")])
            // One that was sealed with a key that is lost stays as it is.
            guard let user, let verifier = try? secret.open(text, context: "") else { return nil }
            let context = StreamUser.challengeContext(
                app: try user.text("app"), stream: try user.text("stream"), user: try user.optionalText("user") ?? "")
            return try secret.seal(verifier, context: context)
        }
    }
}
