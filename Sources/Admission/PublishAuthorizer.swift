import Basics
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
    /// Encoders that were refused for want of a login.
    let wantedLogins: WantedLogins
    private let backupSuffix: String
    private let logger: Logger

    /// - Parameter backupSuffix: what backup encoders add to the stream's name; empty: there are none.
    public init(
        store: any Store, secret: ServerSecret, passwords: PasswordChecker, failures: FailureLimit, logger: Logger,
        wantedLogins: WantedLogins = WantedLogins(), backupSuffix: String = ""
    ) {
        self.store = store
        self.secret = secret
        self.passwords = passwords
        self.failures = failures
        self.logger = logger
        self.wantedLogins = wantedLogins
        self.backupSuffix = backupSuffix
    }

    /// - Parameters:
    ///   - stream: as the encoder names it.
    ///   - address: the encoder's, without port.
    public func authorize(_ stream: StreamAddress, _ credentials: PublishCredentials, from address: String) async
        -> Result<PublishGrant, PublishRefusal>
    {
        let user = credentials.user ?? credentials.challenged?.name ?? ""
        // Counted before anything is looked at: a thousand connections at once are no more tries than one after the other.
        guard let entry = failures.enter(address, login: "\(stream) \(user)") else {
            return .failure(.tooManyFailures)
        }
        do throws(PublishRefusal) {
            let grant = try await decide(stream, credentials, address)
            failures.succeeded(entry)
            return .success(grant)
        } catch {
            if !error.isSuspicious { failures.takeBack(entry) }
            if error == .missingCredentials { wantedLogins.add(address, app: stream.app) }
            return .failure(error)
        }
    }

    private func decide(_ named: StreamAddress, _ credentials: PublishCredentials, _ address: String)
        async throws(PublishRefusal) -> PublishGrant
    {
        if let fault = named.fault { throw .invalidName(fault: fault) }
        guard named == named.forPlayback else { throw .playbackName }
        let (stream, role) = encoder(named)
        let account: Account
        let users: [StreamUser]
        let settings: [StreamSettings]
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
        let user = try await verify(credentials, users, address)
        return PublishGrant(
            accountID: account.id, stream: stream, role: role, user: user,
            settings: StreamGrantSettings(
                reconnectWindow: settings.inForce(\.reconnectWindow),
                endsOnUnpublish: settings.inForce(\.endsOnUnpublish)))
    }

    /// Which stream an encoder publishes, and as which of its encoders: who may publish a stream may be its backup.
    private func encoder(_ named: StreamAddress) -> (stream: StreamAddress, role: EncoderRole) {
        guard !backupSuffix.isEmpty, named.stream.hasSuffix(backupSuffix), named.stream != backupSuffix else {
            return (named, .primary)
        }
        var stream = named
        stream.stream.removeLast(backupSuffix.count)
        return (stream, .backup)
    }

    /// - Returns: the user's name; empty where publishing is open.
    private func verify(_ credentials: PublishCredentials, _ users: [StreamUser], _ address: String)
        async throws(PublishRefusal) -> String
    {
        if let challenged = credentials.challenged, users.contains(where: { challenged.ids.contains($0.id) }) {
            return challenged.name
        }
        var isBusy = false
        if let name = credentials.user, let pass = credentials.pass {
            // An unknown user costs the same work as a known one: answers do not tell which names exist.
            let hash = users.first { $0.user == name }?.passwordHash
            switch await passwords.verify(pass, against: hash, from: address) {
            case .right: return name
            case .wrong: break
            case .busy: isBusy = true
            }
        }
        // Open streams take any publisher, also one that shows credentials.
        if users.contains(where: { $0.user == nil && $0.passwordHash == nil }) { return "" }
        if isBusy { throw .unavailable("too many logins are being checked, try again") }
        throw credentials.isEmpty ? .missingCredentials : .wrongCredentials
    }

    /// The salt of an app's users of that name; nil when there are none. Reads one row, for nothing has been proved yet.
    func challengeSalt(app: String, user: String) async -> String? {
        try? await store.challengeUsers(app: app, user: user, limit: 1).first?.challengeSalt
    }

    /// What verifies the passwords of an app's users of that name, who share one salt, by their ids.
    func challengeVerifiers(app: String, user: String) async -> [Int64: String] {
        guard let users = try? await store.challengeUsers(app: app, user: user, limit: 10_000) else { return [:] }
        var verifiers: [Int64: String] = [:]
        for user in users where user.challengeSalt == users.first?.challengeSalt {
            do {
                verifiers[user.id] = try user.challengeVerifier(with: secret)
            } catch {
                logger.error("a login by challenge cannot be checked", metadata: ["error": "\(error)"])
            }
        }
        return verifiers
    }
}
