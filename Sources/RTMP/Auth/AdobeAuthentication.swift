import Crypto

/// Publisher authentication as Flash Media Server and Wowza do it (`authmod=adobe`), which ffmpeg, librtmp (OBS),
/// GStreamer and hardware encoders speak.
///
/// It takes three connections. The server refuses the first with ``Rejection/needAuthentication``; the client comes
/// back with `?authmod=adobe&user=NAME` on its application and is refused with a salt and a challenge; it comes back
/// with its answer:
///
///     response = base64(md5( base64(md5(user + salt + password)) + opaque-or-challenge + clientChallenge ))
///
/// The inner term is the *verifier*: with a salt that is fixed per user it is all a server must keep. MD5 is the
/// protocol's choice; it keeps the password off the wire and no more, so use RTMPS where that matters.
public enum AdobeAuthentication {
    /// What a server puts into the `description` of a refused connect.
    public enum Rejection: Sendable, Hashable {
        /// The connection has no credentials.
        case needAuthentication
        /// The user has been named: here is what to answer. Values must not need percent-encoding (use hexadecimal).
        case challenge(user: String, salt: String, challenge: String, opaque: String)
        /// The answer was wrong.
        case authenticationFailed(opaque: String)
        case noSuchUser

        /// The text, in the form whose parts ffmpeg, librtmp and GStreamer look for.
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

    /// base64(md5(user + salt + password)): what the server keeps.
    public static func verifier(user: String, salt: String, password: String) -> String {
        digest(user, salt, password)
    }

    /// What a client answers. `challenge` is the server's `opaque` when it sent one, else its `challenge`.
    public static func response(verifier: String, challenge: String, clientChallenge: String) -> String {
        digest(verifier, challenge, clientChallenge)
    }

    /// Whether a client's answer is right. Clients hash the opaque (ffmpeg, librtmp, GStreamer) or the challenge
    /// (Wirecast); both are tried, in constant time.
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

    /// Looks at every byte whatever the first ones are; lengths are no secret.
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
