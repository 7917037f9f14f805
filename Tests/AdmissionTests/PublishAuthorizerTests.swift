import Basics
import Foundation
import Live
import Logging
import NIOPosix
import Storage
import Synchronization
import Testing
import Usher

@testable import Admission
@testable import RTMP

/// An app with encoders' logins, and what decides over them.
private struct Logins: Sendable {
    let scene: Scene
    let failures: FailureLimit
    let authorizer: PublishAuthorizer
    let challenges: ChallengeAuthentication
    let address = "192.0.2.7"

    /// Stream `show` with user `ann`, stream `open` with a user who needs no login; account 7 suspended where asked for.
    static func run(
        perMinute: Int = 0, challengeApps: [String] = [], isSuspended: Bool = false,
        backupSuffix: String = "",
        _ body: @Sendable (Logins) async throws -> Void
    ) async throws {
        try await Scene.run { scene in
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("playhouse-secret-\(UUID())")
            defer { try? FileManager.default.removeItem(at: folder) }
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let secret = try ServerSecret.load(folder: folder.path)
            let salt = "0123456789abcdef"
            let verifier = AdobeAuthentication.verifier(user: "ann", salt: salt, password: "wonderland")
            var ann = StreamUser(
                accountID: 7, app: "demo-origin", stream: "show", user: "ann",
                passwordHash: try Password.hash("wonderland", cost: 4), challengeSalt: salt, created: scene.clock.now)
            try ann.setChallengeVerifier(verifier, with: secret)
            _ = try await scene.store.insertStreamUser(ann)
            _ = try await scene.store.insertStreamUser(
                StreamUser(
                    accountID: 7, app: "demo-origin", stream: "open", user: nil, passwordHash: nil,
                    created: scene.clock.now))
            if isSuspended { try await scene.store.setSuspension(accountID: 7, "unpaid") }
            let clock = scene.clock
            let failures = FailureLimit(perMinute: perMinute, clock: { clock.both.steady })
            let authorizer = PublishAuthorizer(
                store: scene.store, secret: secret, passwords: PasswordChecker(threads: .singleton, acceptsHash: false),
                failures: failures, logger: Logger(label: "test"), backupSuffix: backupSuffix)
            try await body(
                Logins(
                    scene: scene, failures: failures, authorizer: authorizer,
                    challenges: ChallengeAuthentication(
                        authorizer: authorizer, secret: secret, apps: challengeApps.compactMap { WildcardPattern($0) }))
            )
        }
    }

    func publish(
        _ stream: String = "show", app: String = "demo-origin", instance: String = "live", user: String? = nil,
        pass: String? = nil, challenged: ChallengedUser? = nil, address: String? = nil
    ) async -> Result<PublishGrant, PublishRefusal> {
        await authorizer.authorize(
            StreamAddress(app: app, instance: instance, stream: stream),
            PublishCredentials(user: user, pass: pass, challenged: challenged), from: address ?? self.address)
    }

    /// The user that is let in; nil when the encoder is refused.
    func user(
        _ stream: String = "show", user: String? = nil, pass: String? = nil, challenged: ChallengedUser? = nil
    ) async -> String? {
        let result = await publish(stream, user: user, pass: pass, challenged: challenged)
        if case .success(let grant) = result { return grant.user }
        return nil
    }

    func refusal(
        _ stream: String = "show", app: String = "demo-origin", instance: String = "live", user: String? = nil,
        pass: String? = nil
    ) async -> PublishRefusal? {
        if case .failure(let refusal) = await publish(stream, app: app, instance: instance, user: user, pass: pass) {
            return refusal
        }
        return nil
    }

    func connect(
        _ app: String, flashVersion: String = "FMLE/3.0", address: String? = nil
    ) async throws -> ChallengeAuthentication.Step {
        let command = RTMPCommand(
            "connect", transactionID: 1,
            object: .object(["app": .string(app), "flashVer": .string(flashVersion)]))
        let request = try ConnectRequest(command, maxNameSize: 4_096)
        return await challenges.step(request, address: address ?? self.address, now: scene.clock.now)
    }
}

@Suite struct PublishAuthorizerTests {
    @Test("Who may publish, and why others may not")
    func decisions() async throws {
        try await Logins.run { logins in
            #expect(await logins.user(user: "ann", pass: "wonderland") == "ann")
            #expect(await logins.user("open") == "")
            #expect(await logins.user("open", user: "who", pass: "ever") == "")
            #expect(await logins.refusal() == .missingCredentials)
            #expect(await logins.refusal(user: "ann", pass: "guess") == .wrongCredentials)
            #expect(await logins.refusal(user: "bob", pass: "wonderland") == .wrongCredentials)
            #expect(await logins.refusal("other", user: "ann", pass: "wonderland") == .unknownStream)
            #expect(await logins.refusal(app: "nobody-origin") == .unknownApp)
            #expect(await logins.refusal("a b") == .invalidName(fault: "the stream's name holds a space"))
            #expect(await logins.refusal(instance: "play") == .playbackName)
        }
        try await Logins.run(isSuspended: true) { logins in
            #expect(await logins.refusal(user: "ann", pass: "wonderland") == .suspended)
        }
    }

    @Test("The app's users of every stream publish where a stream has none of its own, and nowhere else")
    func usersOfEveryStream() async throws {
        try await Logins.run { logins in
            _ = try await logins.scene.store.insertStreamUser(
                StreamUser(
                    accountID: 7, app: "demo-origin", stream: "*", user: nil, passwordHash: nil,
                    created: logins.scene.clock.now))
            // That anybody may publish any stream takes no password from the one that has one.
            #expect(await logins.user("other") == "")
            #expect(await logins.refusal() == .missingCredentials)
            #expect(await logins.refusal(user: "ann", pass: "guess") == .wrongCredentials)
            #expect(await logins.user(user: "ann", pass: "wonderland") == "ann")
            _ = try await logins.scene.store.insertStreamUser(
                StreamUser(
                    accountID: 7, app: "demo-origin", stream: "*", user: "bob",
                    passwordHash: try Password.hash("looking-glass", cost: 4), created: logins.scene.clock.now))
            #expect(await logins.refusal(user: "bob", pass: "looking-glass") == .wrongCredentials)
            #expect(await logins.user("other", user: "bob", pass: "looking-glass") == "bob")
        }
    }

    @Test("Who may publish a stream may be its backup, and nobody else; renditions have backups as well")
    func backups() async throws {
        try await Logins.run(backupSuffix: "_backup") { logins in
            for stream in ["open", "open_backup", "_backup", "open_360p", "open_backup_360p"] {
                _ = try await logins.scene.store.insertStreamUser(
                    StreamUser(
                        accountID: 7, app: "demo-origin", stream: stream, user: "cam",
                        passwordHash: try Password.hash("secret", cost: 4), created: logins.scene.clock.now))
            }
            for (named, stream, role) in [
                ("open", "open", EncoderRole.primary), ("open_backup", "open", .backup),
                ("open_backup_backup", "open_backup", .backup), ("_backup", "_backup", .primary),
                ("open_360p_backup", "open_360p", .backup), ("open_backup_360p", "open_backup_360p", .primary),
            ] {
                let grant = try await logins.publish(named, user: "cam", pass: "secret").get()
                #expect(grant.stream == StreamAddress(app: "demo-origin", instance: "live", stream: stream))
                #expect(grant.role == role, "\(named)")
            }
            #expect(await logins.user("show_backup", user: "ann", pass: "wonderland") == "ann")
            #expect(await logins.refusal("show_backup") == .missingCredentials)
            #expect(await logins.refusal("other_backup") == .unknownStream)
        }
        try await Logins.run { logins in
            #expect(await logins.refusal("show_backup", user: "ann", pass: "wonderland") == .unknownStream)
        }
    }

    @Test("Guesses at names and logins count against the address, and what is no guess does not")
    func whatCounts() async throws {
        let guesses: [(String, String)] = [
            ("show", "demo-origin"), ("none", "demo-origin"), ("show", "nobody-origin"), ("a b", "demo-origin"),
        ]
        for (stream, app) in guesses {
            try await Logins.run(perMinute: 1) { logins in
                #expect(await logins.refusal(stream, app: app) != .tooManyFailures)
                #expect(await logins.refusal("open") == .tooManyFailures, "\(app)/\(stream)")
            }
        }
        try await Logins.run(perMinute: 1) { logins in
            for _ in 1...3 {
                #expect(await logins.refusal(instance: "play") == .playbackName)
                #expect(await logins.refusal("open") == nil)
            }
        }
        try await Logins.run(perMinute: 1, isSuspended: true) { logins in
            for _ in 1...3 { #expect(await logins.refusal(user: "ann", pass: "wonderland") == .suspended) }
        }
    }

    @Test("Of many guesses of one address at once no more are looked at than it may fail in a minute")
    func aCrowdAtOnce() async throws {
        try await Logins.run(perMinute: 3) { logins in
            let refusals = await withTaskGroup(of: PublishRefusal?.self) { group in
                for _ in 0..<40 { group.addTask { await logins.refusal(user: "ann", pass: "guess") } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(refusals.count { $0 == .wrongCredentials } == 3)
            #expect(refusals.count { $0 == .tooManyFailures } == 37)
        }
    }

    @Test("An encoder that was let in before gets in again, whatever others behind its address do")
    func aKnownEncoder() async throws {
        try await Logins.run(perMinute: 2) { logins in
            #expect(await logins.user(user: "ann", pass: "wonderland") == "ann")
            for _ in 1...5 { _ = await logins.publish("none", user: "ann", pass: "guess") }
            #expect(await logins.refusal("open") == .tooManyFailures)
            #expect(await logins.user(user: "ann", pass: "wonderland") == "ann")
        }
    }
}

@Suite struct PasswordCheckerTests {
    @Test("Right and wrong passwords, nobody's, and the hash itself where that is allowed")
    func outcomes() async throws {
        let hash = try Password.hash("wonderland", cost: 4)
        for acceptsHash in [false, true] {
            let checker = PasswordChecker(threads: .singleton, acceptsHash: acceptsHash)
            #expect(await checker.verify("wonderland", against: hash, from: "192.0.2.1") == .right)
            #expect(await checker.verify("guess", against: hash, from: "192.0.2.1") == .wrong)
            #expect(await checker.verify("guess", against: nil, from: "192.0.2.1") == .wrong)
            #expect(
                await checker.verify(hash, against: hash, from: "192.0.2.1") == (acceptsHash ? .right : .wrong))
            // A changed password is not right any more, though it was.
            let changed = try Password.hash("other", cost: 4)
            #expect(await checker.verify("wonderland", against: changed, from: "192.0.2.1") == .wrong)
        }
    }

    @Test("Few checks wait, fewer of one address, and a password that was right before waits for nobody")
    func theQueueIsBounded() async throws {
        let hash = try Password.hash("wonderland", cost: 4)
        let threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        let checker = PasswordChecker(threads: threads, acceptsHash: false, maximumWaiting: 5, maximumPerAddress: 3)
        #expect(await checker.verify("wonderland", against: hash, from: "192.0.2.1") == .right)
        // The only thread does nothing else until the gate opens.
        let gate = DispatchSemaphore(value: 0)
        await withCheckedContinuation { (started: CheckedContinuation<Void, Never>) in
            threads.submit { _ in
                started.resume()
                gate.wait()
            }
        }
        await withTaskGroup(of: PasswordChecker.Outcome.self) { group in
            for _ in 0..<3 { group.addTask { await checker.verify("guess", against: hash, from: "192.0.2.1") } }
            while checker.waitingCount < 3 { await Task.yield() }
            #expect(await checker.verify("guess", against: hash, from: "192.0.2.1") == .busy)
            for _ in 0..<2 { group.addTask { await checker.verify("guess", against: hash, from: "192.0.2.2") } }
            while checker.waitingCount < 5 { await Task.yield() }
            #expect(await checker.verify("guess", against: hash, from: "192.0.2.3") == .busy)
            #expect(await checker.verify("wonderland", against: hash, from: "192.0.2.1") == .right)
            gate.signal()
            for await outcome in group { #expect(outcome == .wrong) }
        }
        #expect(checker.waitingCount == 0)
        try await threads.shutdownGracefully()
    }
}

@Suite struct ChallengeAuthenticationTests {
    /// What a client answers to what it was refused with; nil when it gives up.
    private func next(
        _ step: ChallengeAuthentication.Step, password: String = "wonderland", tried: String? = nil
    ) -> String? {
        guard case .rejected(let rejection) = step,
            case .reconnect(let query) = AdobeAuthentication.clientStep(
                description: rejection.description,
                credentials: AdobeAuthentication.Credentials(user: "ann", password: password), tried: tried,
                clientChallenge: "01234567")
        else { return nil }
        return query
    }

    @Test("Who is asked for a login")
    func whoIsAsked() async throws {
        try await Logins.run(challengeApps: ["demo-o*"]) { logins in
            let steps = [
                try await logins.connect("demo-origin/live"),
                try await logins.connect("demo-origin/live", flashVersion: "LNX 9"),
                try await logins.connect("demo-origin/live?user=ann&pass=x"),
                try await logins.connect("demo-vod/live"),
                try await logins.connect("demo-vod/live?authmod=adobe"),
            ]
            #expect(
                steps == [
                    .rejected(.needAuthentication), .notNeeded, .notNeeded, .notNeeded, .rejected(.needAuthentication),
                ])
        }
    }

    @Test("An encoder that was refused for want of a login is asked for it once, when it comes again")
    func askedAfterRefusal() async throws {
        try await Logins.run { (logins: Logins) async throws in
            func next(_ app: String = "demo-origin/live", flashVersion: String = "FMLE/3.0", address: String? = nil)
                async throws -> ChallengeAuthentication.Step
            {
                try await logins.connect(app, flashVersion: flashVersion, address: address)
            }
            #expect(try await next() == .notNeeded)
            #expect(await logins.refusal(user: "ann", pass: "guess") == .wrongCredentials)
            #expect(try await next() == .notNeeded)
            #expect(await logins.refusal() == .missingCredentials)
            #expect(try await next(address: "192.0.2.8") == .notNeeded)
            #expect(try await next("demo-vod/live") == .notNeeded)
            #expect(try await next(flashVersion: "LNX 9") == .notNeeded)
            #expect(try await next("demo-origin/live?user=ann&pass=x") == .notNeeded)
            #expect(try await next() == .rejected(.needAuthentication))
            // Who has no answer may have its login on the stream's name by now.
            #expect(try await next() == .notNeeded)
            #expect(await logins.user(user: "ann", pass: "wonderland") == "ann")
        }
    }

    @Test("An encoder that answered a challenge, rightly or wrongly, is asked at once when it comes again")
    func askedAfterAnswer() async throws {
        try await Logins.run { logins in
            let asked = try await logins.connect("demo-origin/live?authmod=adobe&user=ann")
            let wrong = try #require(next(asked, password: "guess", tried: "?authmod=adobe&user=ann"))
            guard case .rejected(.authenticationFailed) = try await logins.connect("demo-origin/live\(wrong)") else {
                Issue.record("not refused")
                return
            }
            #expect(try await logins.connect("demo-origin/live", address: "192.0.2.8") == .notNeeded)
            #expect(try await logins.connect("demo-origin/live") == .rejected(.needAuthentication))
            #expect(try await logins.connect("demo-origin/live") == .notNeeded)
            logins.challenges.remember("demo-origin", address: logins.address)
            #expect(try await logins.connect("demo-origin/live") == .rejected(.needAuthentication))
            #expect(try await logins.connect("demo-origin/live") == .notNeeded)
        }
    }

    @Test("The right answer opens the streams it is the password of, a wrong one counts as a failure")
    func exchange() async throws {
        try await Logins.run(perMinute: 2) { logins in
            let asked = try await logins.connect("demo-origin/live?authmod=adobe&user=ann")
            let answer = try #require(next(asked, tried: "?authmod=adobe&user=ann"))
            guard case .accepted(let user) = try await logins.connect("demo-origin/live\(answer)") else {
                Issue.record("not accepted")
                return
            }
            #expect(await logins.user(challenged: user) == "ann")
            #expect(await logins.refusal("open") == nil)
            let wrong = try #require(next(asked, password: "guess", tried: "?authmod=adobe&user=ann"))
            for _ in 1...3 {
                guard case .rejected(.authenticationFailed) = try await logins.connect("demo-origin/live\(wrong)")
                else {
                    Issue.record("not refused")
                    return
                }
            }
            // Two were looked at; then not even the right answer is.
            guard case .rejected(.authenticationFailed) = try await logins.connect("demo-origin/live\(answer)") else {
                Issue.record("looked at")
                return
            }
        }
    }

    @Test(
        "A user who does not exist is challenged like one who does, and an answer without a challenge of ours is wrong")
    func nothingIsTold() async throws {
        try await Logins.run { logins in
            var salts: Set<String> = []
            for _ in 1...2 {
                guard
                    case .rejected(.challenge(_, let salt, _, _)) = try await logins.connect(
                        "demo-origin/live?authmod=adobe&user=nobody")
                else {
                    Issue.record("no challenge")
                    return
                }
                salts.insert(salt)
            }
            #expect(salts.count == 1)
            let verifier = AdobeAuthentication.verifier(user: "ann", salt: "0123456789abcdef", password: "wonderland")
            let response = AdobeAuthentication.response(
                verifier: verifier, challenge: "ours", clientChallenge: "01234567")
            let step = try await logins.connect(
                "demo-origin/live?authmod=adobe&user=ann&challenge=01234567&opaque=ours&response=\(response)")
            #expect(step == .rejected(.authenticationFailed(opaque: "ours")))
        }
    }
}
