import Admission
import Basics
import Foundation
import Logging
import Storage

/// The signed API: takes a request's body, gives a reply's.
///
/// The walk of a command: body → `ControlRequest` → `SignedRequest` → `Command` → `Reply` → JSON or PHP.
public struct ControlService: Sendable {
    let environment: ControlEnvironment
    /// Seconds a request's timestamp may be off (`api.timestamp_window`).
    let window: TimeInterval
    private let failures: FailureLimit
    private let replayWait: Duration
    /// For what happens with every request while the store is ill.
    private let log: LogLimiter
    /// Seconds until a store that takes nothing is tried again.
    private static let retryAfter = 2

    /// - Parameters:
    ///   - failures: counts failed signatures per address (`api.rate_limit`).
    ///   - replayWait: how long a duplicate waits for the first run's reply before it gets code 9.
    public init(
        environment: ControlEnvironment, timestampWindow: TimeInterval = 300, failures: FailureLimit,
        replayWait: Duration = .seconds(5)
    ) {
        self.environment = environment
        window = timestampWindow
        self.failures = failures
        self.replayWait = replayWait
        log = LogLimiter(logger: environment.logger)
    }

    /// One request, from the first byte of its body to the last of its reply. Never throws: what goes wrong is a reply.
    /// - Parameter address: the client's, for the limit on failed signatures and the log.
    public func handle(contentType: String?, body: [UInt8], address: String) async -> ControlResponse {
        let begin = ContinuousClock.now
        var format = ReplyFormat.json
        do {
            guard body.count <= ControlRequest.maximumBodyBytes else {
                let failure = CommandFailure(.requiredFieldsMissing, "The body is larger than 1 MiB")
                return response(Reply(failure, httpStatus: 413), format, begin)
            }
            if let seconds = failures.wait(address), !isKnown(body, contentType, from: address) {
                let failure = CommandFailure(.unusuallyHighTraffic)
                return response(Reply(failure, retryAfter: seconds, httpStatus: 429), format, begin)
            }
            let request = try ControlRequest(contentType: contentType, body: body)
            format = request.format
            let signed = try await verify(request.text, address)
            return try await answer(signed, format, begin)
        } catch {
            return response(failure(of: error), format, begin)
        }
    }

    /// The answer to a request that is none of the API's: wrong method, wrong path, too large.
    public func refusal(status: Int, _ sentence: String) -> ControlResponse {
        response(Reply(CommandFailure(.unrecognizedCommand, sentence), httpStatus: status), .json, .now)
    }

    /// Runs a command for an account without a signature: for the command line on this machine and the control room.
    public func perform(_ command: String, account: Account, fields: JSONObject) async -> Reply {
        do {
            guard let entry = CommandRegistry.entry(named: command) else { throw CommandRegistry.unrecognized(command) }
            let context = CommandContext(environment: environment, account: account)
            switch try await entry.prepare(fields, context) {
            case .inStore(let effect):
                let outcome = try await context.store.transaction(isRevocation: effect.isRevocation) { transaction in
                    let outcome = try effect.outcome(in: transaction)
                    try transaction.recordChanges(context.touched.touch(of: account.id))
                    return outcome
                }
                await outcome.then()
                return outcome.reply
            case .running(let run):
                let reply: Reply
                do { reply = try await run() } catch { reply = failure(of: error) }
                try await environment.store.recordChanges(context.touched.touch(of: account.id))
                return reply
            }
        } catch {
            return failure(of: error)
        }
    }

    /// Whether the request names a key that has signed rightly from this address before: such a key is counted apart, so a
    /// program with a wrong key does not close the API to others behind its address.
    private func isKnown(_ body: [UInt8], _ contentType: String?, from address: String) -> Bool {
        guard body.count <= 65_536, let request = try? ControlRequest(contentType: contentType, body: body),
            let key = SignedRequest.claimedKey(request.text)
        else { return false }
        return failures.allows(address, login: key)
    }

    private func verify(_ text: [UInt8], _ address: String) async throws -> SignedRequest {
        do {
            let signed = try await SignedRequest.verify(
                text, store: environment.store, now: environment.now(), window: window)
            failures.succeeded(address, login: signed.key.apiKey)
            return signed
        } catch let failure as CommandFailure {
            if failure.code == .signatureFailed || failure.code == .cdnAuthorizationFailed {
                failures.failed(address, login: SignedRequest.claimedKey(text))
                environment.logger.warning(
                    "API request refused: \(failure.message)", metadata: ["address": "\(address)"])
            }
            throw failure
        }
    }

    private func answer(_ signed: SignedRequest, _ format: ReplyFormat, _ begin: ContinuousClock.Instant) async throws
        -> ControlResponse
    {
        guard let entry = CommandRegistry.entry(named: signed.command) else {
            throw CommandRegistry.unrecognized(signed.command)
        }
        if let reason = signed.account.suspension {
            throw CommandFailure(.accountSuspended, reason.isEmpty ? nil : reason)
        }
        guard entry.description.allows(signed.key.rights) else { throw CommandFailure(.unauthorized) }
        let context = CommandContext(environment: environment, account: signed.account)
        guard entry.description.isMutating else {
            let reply =
                switch try await entry.prepare(signed.fields, context) {
                case .running(let run): try await run()
                case .inStore(let effect):
                    try await context.store.transaction(isRevocation: effect.isRevocation, effect.outcome).reply
                }
            return response(reply, format, begin)
        }
        // In a task of its own: a client that hangs up does not stop its command half-way.
        return try await Task { try await once(signed, entry, context, format, begin) }.value
    }

    /// Runs a command that changes something, unless the same signed request has been run: then its reply is given
    /// again, byte for byte, failures included, also those of the server: what they changed before they failed is not
    /// known. A reply that another command has made untrue is not given again. But a request that the store had no time or room for is run when it comes again.
    private func once(
        _ signed: SignedRequest, _ entry: CommandRegistry.Entry, _ context: CommandContext, _ format: ReplyFormat,
        _ begin: ContinuousClock.Instant
    ) async throws -> ControlResponse {
        // A request is acceptable until its timestamp leaves the window; remembered a little longer than that.
        let expires = signed.timestamp + window + 60
        let deadline = ContinuousClock.now + replayWait
        let prepared: CommandRegistry.PreparedCommand
        do {
            prepared = try await entry.prepare(signed.fields, context)
        } catch {
            if Self.isTemporary(error) { throw error }
            // What is wrong with it was wrong then, too.
            let reply = failure(of: error)
            prepared = .inStore(StoreEffect { _ in StoreEffect.Outcome(reply: reply) })
        }
        while true {
            let claim: ReplayClaim
            switch prepared {
            case .inStore(let effect):
                let request = ReplayRequest(digest: signed.digest, now: environment.now(), expires: expires)
                let outcome = try await context.store.once(request, isRevocation: effect.isRevocation) { transaction in
                    let outcome = try effect.outcome(in: transaction)
                    let given = response(outcome.reply, format, begin)
                    return ReplayAnswer(
                        reply: Self.text(given, format), touch: context.touched.touch(of: context.account.id),
                        value: (given: given, then: outcome.then))
                }
                switch outcome {
                case .carriedOut(let value):
                    await value.then()
                    return value.given
                case .known(let known): claim = known
                }
            case .running(let run):
                claim = try await context.store.beginReplay(
                    digest: signed.digest, now: environment.now(), expires: expires)
                if claim == .new { return try await carryOut(run, signed, context, format, begin) }
            }
            switch claim {
            case .answered(let text):
                return remembered(text)
            case .outdated:
                throw CommandFailure(
                    .requestRunning,
                    "This request was carried out before, and what it was about has been changed since; to carry it out again, "
                        + "sign it with a new timestamp or another request_id")
            case .running, .new:
                // The first run is under way, most likely for milliseconds more.
                guard ContinuousClock.now < deadline else { throw CommandFailure(.requestRunning) }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    /// Runs a command whose request has been claimed, and keeps its reply.
    private func carryOut(
        _ run: @Sendable () async throws -> Reply, _ signed: SignedRequest, _ context: CommandContext,
        _ format: ReplyFormat, _ begin: ContinuousClock.Instant
    ) async throws -> ControlResponse {
        let reply: Reply
        do {
            reply = try await run()
        } catch {
            if Self.isTemporary(error) {
                // "Try again" is no reply to keep. A claim that cannot be given up runs out (`ReplayClaim.patience`).
                try? await context.store.abandonReplay(digest: signed.digest)
                throw error
            }
            reply = failure(of: error)
        }
        let given = response(reply, format, begin)
        do {
            try await context.store.finishReplay(
                digest: signed.digest, reply: Self.text(given, format),
                touch: context.touched.touch(of: context.account.id))
        } catch {
            // What was done is done, and its caller is told so.
            environment.logger.error("API reply not kept for replays", metadata: ["error": "\(error)"])
        }
        return given
    }

    /// A reply as it is remembered.
    private static func text(_ response: ControlResponse, _ format: ReplyFormat) -> String {
        "\(format.rawValue)\n" + String(decoding: response.body, as: UTF8.self)
    }

    private func remembered(_ text: String) -> ControlResponse {
        let parts = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        let format = parts.first.flatMap { ReplyFormat(rawValue: String($0)) } ?? .json
        let body = parts.count == 2 ? Array(parts[1].utf8) : []
        return ControlResponse(status: 200, contentType: format.contentType, retryAfter: nil, body: body)
    }

    private func response(_ reply: Reply, _ format: ReplyFormat, _ begin: ContinuousClock.Instant) -> ControlResponse {
        ControlResponse(
            status: reply.httpStatus, contentType: format.contentType, retryAfter: reply.retryAfter,
            body: reply.bytes(format: format, handleTime: ContinuousClock.now - begin))
    }

    /// A failure of ours is logged with its cause and answered without.
    private func failure(of error: any Error) -> Reply {
        if let failure = error as? CommandFailure { return Reply(failure) }
        if let error = error as? StoreError, error == .tooManyQuestions {
            return Reply(
                CommandFailure(.unusuallyHighTraffic, "Too many questions of this account wait, please try again"),
                retryAfter: Self.retryAfter, httpStatus: 429)
        }
        if Self.isTemporary(error) {
            log.log(.error, "API command not carried out", "\(error)", address: "")
            return Reply(
                CommandFailure(.unusuallyHighTraffic, "The server cannot store anything now, please try again"),
                retryAfter: Self.retryAfter, httpStatus: 503)
        }
        // Who asked has hung up, and reads nothing of this.
        if error is CancellationError { return Reply(CommandFailure(.unusuallyHighTraffic), httpStatus: 503) }
        environment.logger.error("API command failed", metadata: ["error": "\(error)"])
        return Reply(CommandFailure(.unexpectedError))
    }

    private static func isTemporary(_ error: any Error) -> Bool {
        (error as? StoreError)?.isTemporary ?? false
    }
}

/// What HTTP answers a control request with.
public struct ControlResponse: Sendable, Hashable {
    /// 200 with success or failure in the body, as every known client expects; 404, 405, 413, 429 and 503 are the exceptions.
    public var status: Int
    public var contentType: String
    /// Seconds, for `Retry-After`.
    public var retryAfter: Int?
    public var body: [UInt8]
}
