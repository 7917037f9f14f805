import Crypto

/// Publisher authentication as Flash Media Server and Wowza do it (`authmod=adobe`), which ffmpeg, librtmp (OBS),
/// GStreamer and hardware encoders speak.
///
/// The client needs three connections. The server refuses the first one with ``Rejection/needAuthentication``. The client
/// connects again with `?authmod=adobe&user=NAME` on its application, and the server refuses it with a salt and a challenge.
/// The client then connects with its answer:
///
///     response = base64(md5( base64(md5(user + salt + password)) + opaque-or-challenge + clientChallenge ))
///
/// The inner term is the *verifier*. When the salt of a user never changes, the verifier is all that a server must keep. MD5 is
/// the protocol's choice. It keeps the password itself off the wire and protects nothing else, so where that matters use
/// RTMPS.
public enum AdobeAuthentication {
    /// What a server puts into the `description` of a refused connect.
    public enum Rejection: Sendable, Hashable {
        /// The connection has no credentials.
        case needAuthentication
        /// The client has named its user and must answer this challenge. The values are not percent-encoded, so they must not
        /// need it; hexadecimal digits do not.
        case challenge(user: String, salt: String, challenge: String, opaque: String)
        /// The answer was wrong.
        case authenticationFailed(opaque: String)
        case noSuchUser

        /// The text, whose parts ffmpeg, librtmp and GStreamer look for.
        public var description: String {
            switch self {
            case .needAuthentication:
                "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : "
            case .challenge(let user, let salt, let challenge, let opaque):
                "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=\(user)&salt=\(salt)"
                    + "&challenge=\(challenge)&opaque=\(opaque)"
            case .authenticationFailed(let opaque):
                "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=\(opaque)"
            case .noSuchUser:
                "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=nosuchuser"
            }
        }
    }

    /// base64(md5(user + salt + password)), which the server keeps.
    public static func verifier(user: String, salt: String, password: String) -> String {
        digest(user, salt, password)
    }

    /// A client's answer.
    /// - Parameter challenge: the server's `opaque` when the server sent one, else its `challenge`.
    public static func response(verifier: String, challenge: String, clientChallenge: String) -> String {
        digest(verifier, challenge, clientChallenge)
    }

    /// Whether a client's answer is right. ffmpeg, librtmp and GStreamer hash the opaque, Wirecast hashes the challenge; an
    /// answer made either way is right. Takes the same time for every answer.
    public static func verify(
        response: String, verifier: String, challenge: String, opaque: String, clientChallenge: String
    ) -> Bool {
        let byOpaque = isEqual(
            response, self.response(verifier: verifier, challenge: opaque, clientChallenge: clientChallenge))
        let byChallenge = isEqual(
            response, self.response(verifier: verifier, challenge: challenge, clientChallenge: clientChallenge))
        return byOpaque != byChallenge || byOpaque
    }

    private static func digest(_ parts: String...) -> String {
        var md5 = Insecure.MD5()
        for part in parts {
            var part = part
            part.withUTF8 { md5.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        }
        return Base64.encode(Array(md5.finalize()))
    }

    /// Compares every byte even after a difference, so that the time tells nothing about the bytes. The lengths are no secret.
    static func isEqual(_ left: String, _ right: String) -> Bool {
        let left = Array(left.utf8)
        let right = Array(right.utf8)
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices {
            difference |= left[index] ^ right[index]
        }
        return difference == 0
    }
}
