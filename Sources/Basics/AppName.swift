/// How names of applications compare.
public enum AppName {
    private static let pairs = [(playback: "-live", publish: "-origin"), (playback: "-channel", publish: "-chorigin")]

    /// The other name of the same app for playback (`<user>-live` for `<user>-origin`, `<user>-channel` for
    /// `<user>-chorigin`, and back); nil when it has one only.
    public static func alias(of app: String) -> String? {
        for (playback, publish) in pairs {
            if app.hasSuffix(playback) { return app.dropLast(playback.count) + publish }
            if app.hasSuffix(publish) { return app.dropLast(publish.count) + playback }
        }
        return nil
    }

    /// The name under which the app is published to: `<user>-origin` for `<user>-live`, itself when it is no alias.
    public static func published(_ app: String) -> String {
        for (playback, publish) in pairs where app.hasSuffix(playback) {
            return app.dropLast(playback.count) + publish
        }
        return app
    }
}
