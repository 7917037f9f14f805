/// The version of this program: `playhouse version`, `server.status`, the `Server` header.
public enum PlayhouseVersion {
    public static let current = "0.1.0"
}
