import Basics
import Crypto
import Foundation
import RTMP
import Storage
import Usher

/// The server's side of Adobe's challenge authentication (`authmod=adobe`), which takes place at connect.
///
/// A connection is challenged when it asks for it (`authmod=adobe` on its app), or when it is an encoder without
/// credentials, and its app is among `rtmp.challenge_apps` or it was just refused for want of a login: nothing in a connect
/// tells whether an encoder holds a user name for this or will show `?user=&pass=` on its stream name later.
public struct ChallengeAuthentication: Sendable {
    public enum Step: Sendable, Equatable {
        /// Nothing to do with this authentication, or nothing asked for.
        case notNeeded
        case accepted(user: ChallengedUser)
        case rejected(AdobeAuthentication.Rejection)
    }

    private let authorizer: PublishAuthorizer
    private let issuer: AdobeChallengeIssuer
    /// Gives unknown users a salt that looks like any other and is always the same.
    private let secret: ServerSecret
    private let apps: [WildcardPattern]

    public init(authorizer: PublishAuthorizer, secret: ServerSecret, apps: [WildcardPattern]) {
        self.authorizer = authorizer
        self.secret = secret
        self.apps = apps
        issuer = AdobeChallengeIssuer(secret: SymmetricKey(data: secret.hmac("adobe challenge")))
    }

    /// An encoder that has shown its login by challenge is gone: when it comes again soon, it is asked at once, without being
    /// refused for want of a login first.
    public func remember(_ app: String, address: String) {
        authorizer.wantedLogins.add(address, app: app)
    }

    /// What to answer a connect with. Looks at the store only when a user has been named.
    public func step(_ request: ConnectRequest, address: String, now: Date) async -> Step {
        guard request.parameter("authmod") == "adobe" else {
            let isAsked =
                request.isPublisher && request.parameter("user") == nil
                && (authorizer.wantedLogins.take(address, app: request.path.app)
                    || apps.contains { $0.matches(request.path.app) })
            return isAsked ? .rejected(.needAuthentication) : .notNeeded
        }
        guard let user = request.parameter("user"), !user.isEmpty else { return .rejected(.needAuthentication) }
        let app = request.path.app
        let login = "\(app) \(user)"
        let seconds = UInt32(clamping: Int64(now.timeIntervalSince1970))
        guard let response = request.parameter("response"), let answer = request.parameter("challenge") else {
            guard authorizer.failures.allows(address, login: login) else {
                return .rejected(.authenticationFailed(opaque: ""))
            }
            let challenge = issuer.issue(user: user, now: seconds)
            let known = await authorizer.challengeSalt(app: app, user: user)
            let salt = known ?? String(Hexadecimal.encode(secret.hmac("salt \(user)")).prefix(16))
            return .rejected(.challenge(user: user, salt: salt, challenge: challenge, opaque: challenge))
        }
        guard let entry = authorizer.failures.enter(address, login: login) else {
            return .rejected(.authenticationFailed(opaque: ""))
        }
        let opaque = request.parameter("opaque") ?? ""
        // Only a challenge of ours makes the store read and the verifiers be opened.
        if issuer.isValid(opaque, user: user, now: seconds) {
            let right = await authorizer.challengeVerifiers(app: app, user: user).filter { _, verifier in
                AdobeAuthentication.verify(
                    response: response, verifier: verifier, challenge: opaque, opaque: opaque, clientChallenge: answer)
            }
            if !right.isEmpty {
                authorizer.failures.succeeded(entry)
                return .accepted(user: ChallengedUser(name: user, ids: Set(right.keys)))
            }
        }
        // Who answers has its login for the challenge alone, and will answer again.
        remember(app, address: address)
        return .rejected(.authenticationFailed(opaque: opaque))
    }
}
