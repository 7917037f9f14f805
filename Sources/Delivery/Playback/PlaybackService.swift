import Admission
import HLS
import HTTPTypes
import Hummingbird
import Live
import Logging
import NIOCore
import Storage
import Usher

/// What players fetch: playlists and segments under `/<app>/<inst>/<stream>/`, for those who are let in.
///
/// Answers: 200, 206, 302 (to a session's own path), 304, 403 (refused, without a reason), 404 (nothing there, or the
/// stream is off the air), 416, 503 (no segment yet, or the store does not answer). Never 401, at which browsers would
/// ask for a password.
public struct PlaybackService: Sendable {
    let outputs: OutputTable
    let admission: any ViewerAdmission
    let configuration: DeliveryConfiguration
    let viewers: ViewerTable
    let crossOrigin: CrossOrigin
    let logger: Logger

    public init(
        outputs: OutputTable, admission: any ViewerAdmission, configuration: DeliveryConfiguration, logger: Logger
    ) {
        self.outputs = outputs
        self.admission = admission
        self.configuration = configuration
        self.logger = logger
        viewers = ViewerTable(
            idleTime: .seconds(Int64(configuration.viewerIdleTime)), maximum: configuration.maximumCountedViewers)
        crossOrigin = CrossOrigin(allowedOrigins: configuration.allowedOrigins)
    }

    /// Viewers of an unprotected stream in the last while, an estimate: those behind one address, or one cache, count
    /// as one. Viewers with tickets are counted by `Admissions`.
    public func viewerCount(_ address: StreamAddress) -> Int {
        viewers.count(address, now: .now())
    }

    /// Adds the routes: `GET`, `HEAD` and `OPTIONS` of everything three or more levels deep that no other route is for.
    public func addRoutes<Context: PlaybackRequestContext>(to router: some RouterMethods<Context>) {
        for method in [HTTPRequest.Method.get, .head] {
            router.on("*/*/**", method: method) { request, context in
                await answer(request, context: context)
            }
        }
        router.on("*/*/**", method: .options) { request, _ in
            preflight(origin: request.headers[.origin])
        }
    }

    private func preflight(origin: String?) -> Response {
        var response = Response(status: .noContent)
        response.headers[.contentLength] = nil
        crossOrigin.applyPreflight(to: &response.headers, origin: origin)
        return response
    }

    private func answer(_ request: Request, context: some PlaybackRequestContext) async -> Response {
        var response: Response
        if let playback = PlaybackRequest(request, context: context, trustedProxies: configuration.trustedProxies) {
            response = await answer(playback)
        } else {
            response = PlaybackReply.text(.notFound, "Not found.\n", cache: .missing)
        }
        crossOrigin.apply(to: &response.headers, origin: request.headers[.origin])
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(_ request: PlaybackRequest) async -> Response {
        guard let output = request.path.addresses.lazy.compactMap({ outputs.output(at: $0) }).first else {
            return offline
        }
        do {
            switch request.path.resource {
            case .masterPlaylist: return try await master(of: output, for: request)
            case .mediaPlaylist: return try await media(of: output, for: request)
            case .file(let name): return try await file(name, of: output, for: request)
            }
        } catch {
            logger.error(
                "viewer not answered, the store failed",
                metadata: ["stream": "\(output.address)", "error": "\(error)"])
            return PlaybackReply.text(.serviceUnavailable, "Try again.\n", cache: .never, retryAfter: 2)
        }
    }

    private func file(_ name: String, of output: StreamOutput, for request: PlaybackRequest) async throws -> Response {
        let address = output.address
        // The usual case first: it takes no step out of this thread.
        let isPermitted =
            request.path.session.map { admission.permits(request.facts(for: address), session: $0) } ?? false
        if !isPermitted {
            let protection = try await admission.protection(app: address.app, stream: address.stream)
            guard protection == .none else { return refused }
        }
        guard let file = outputs.file(named: name, at: address) else {
            return PlaybackReply.text(.notFound, "Not found.\n", cache: .missing)
        }
        return PlaybackReply.file(file, to: request, cache: request.path.session == nil ? .publicFile : .sessionFile)
    }

    var offline: Response {
        PlaybackReply.text(.notFound, "The stream is offline.\n", cache: .missing, retryAfter: 5)
    }

    /// Why is in the log of attempts, not here.
    var refused: Response {
        PlaybackReply.text(.forbidden, "Forbidden.\n", cache: .never)
    }
}
