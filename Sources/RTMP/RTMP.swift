/// Constants of the protocol that more than one part of the room uses.
public enum RTMP {
    /// Chunk size every connection starts with (RTMP 1.0 §5.4.1).
    public static let defaultChunkSize = 128

    /// The one chunk size that both sessions send with, after Set Chunk Size. It is the same on every connection so that a message is
    /// chunked once and those bytes are shared by all viewers and pushes; 64 KiB keeps nearly every frame in one
    /// chunk and lets every client's buffer arithmetic stay far from overflow.
    public static let outgoingChunkSize = 65_536

    /// The port when a URL names none.
    public static let defaultPort = 1935

    /// The port of `rtmps://` when a URL names none.
    public static let defaultTLSPort = 443

    /// What the server session names as its version (`fmsVer`): clients look for the prefix `FMS/`.
    public static let serverVersion = "FMS/3,5,7,7009"

    /// What the client session names as its version when it publishes (`flashVer`): servers know a publisher by its `FMLE/` prefix.
    public static let encoderVersion = "FMLE/3.0 (compatible; Playhouse)"
}
