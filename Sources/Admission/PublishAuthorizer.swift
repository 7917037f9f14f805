import Foundation
import Live
import Logging
import RTMP
import Storage

/// Decides who may publish. The same for every ingest protocol.
public struct PublishAuthorizer: Sendable {
    private let store: any Store
    private let secret: ServerSecret
    private let passwords: PasswordChecker
    let failures: FailureLimit
    private let logger: Logger

    public init(
        store: any Store, secret: ServerSecret, passwords: PasswordChecker, failures: FailureLimit, logger: Logger
    ) {
        self.store = store
        self.secret = secret
        self.passwords = passwords
        self.failures = failures
        self.logger = logger
    }

    /// - Parameter address: the encoder's, without port.
    public func authorize(_ stream: StreamAddress, _ credentials: PublishCredentials, from address: String) async
        -> Result<PublishGrant, PublishRefusal>
    {
        guard stream.isValid else { return .failure(.invalidName) }
        guard stream == stream.forPlayback else { return .failure(.playbackName) }
        guard failures.allows(address) else { return .failure(.tooManyFailures) }
        do throws(PublishRefusal) {
            return .success(try await decide(stream, credentials))
        } catch {
            if error.isSuspicious { failures.note(address) }
            return .failure(error)
        }
    }

    private func decide(_ stream: StreamAddress, _ credentials: PublishCredentials) async throws(PublishRefusal)
        -> PublishGrant
    {
        let account: Account
        let users: [StreamUser]
        let settings: StreamSettings?
        do {
            guard let owner = try await store.account(owningApp: stream.app) else {
                throw PublishRefusal.unknownApp
            }
            account = owner
            users = try await store.publishers(app: stream.app, stream: stream.stream)
            settings = try await store.streamSettings(app: stream.app, stream: stream.stream)
        } catch let refusal as PublishRefusal {
            throw refusal
        } catch {
            logger.error("publish check failed", metadata: ["stream": "\(stream)", "error": "\(error)"])
            throw .unavailable("the server cannot check the login now")
        }
        guard account.suspension == nil else { throw .suspended }
        guard !users.isEmpty else { throw .unknownStream }
        let user = try await verify(credentials, users)
        var grant = PublishGrant(accountID: account.id, user: user, settings: StreamGrantSettings())
        if let settings {
            grant.settings.reconnectWindow = settings.reconnectWindow
            grant.settings.endsOnUnpublish = settings.endsOnUnpublish
        }
        return grant
    }

    /// - Returns: the user's name; empty where publishing is open.
    private func verify(_ credentials: PublishCredentials, _ users: [StreamUser]) async throws(PublishRefusal)
        -> String
    {
        if let challenged = credentials.challenged, users.contains(where: { challenged.ids.contains($0.id) }) {
            return challenged.name
        }
        if let name = credentials.user, let pass = credentials.pass {
            let known = users.first { $0.user == name }
            // An unknown user costs the same work as a known one: answers do not tell which names exist.
            let isRight = await passwords.verify(pass, against: known?.passwordHash)
            if isRight, known != nil { return name }
        }
        // Open streams take any publisher, also one that shows credentials.
        if users.contains(where: { $0.user == nil && $0.passwordHash == nil }) { return "" }
        throw credentials.isEmpty ? .missingCredentials : .wrongCredentials
    }

    /// What verifies the passwords of an app's users of that name, who share one salt, by their ids; nil when there are none.
    func challengeVerifiers(app: String, user: String) async -> (salt: String, verifiers: [Int64: String])? {
        guard let account = try? await store.account(owningApp: app),
            let users = try? await store.streamUsers(accountID: account.id, app: app, stream: nil)
        else { return nil }
        let known = users.filter { $0.user == user && $0.sealedChallengeVerifier != nil }
        guard let salt = known.first?.challengeSalt else { return nil }
        var verifiers: [Int64: String] = [:]
        for user in known where user.challengeSalt == salt {
            if let sealed = user.sealedChallengeVerifier { verifiers[user.id] = try? secret.open(sealed) }
        }
        return (salt, verifiers)
    }
}
