import AsyncHTTPClient
import Foundation
import Load
import NIOCore

/// Follows a stream of low-latency HLS as RFC 8216bis has it, asks for everything that is there to be asked for, and has it all judged
/// by ``StrictChecker``.
///
/// Each part is asked for when it is announced, and each playlist when the one before has come, in whole and as a delta; besides, what a
/// server has to refuse, and what it has to hold for a whole segment.
public struct StrictClient: Sendable {
    private let folder: String
    private let names: [String]
    private let query: String

    /// - Parameters:
    ///   - playlist: a media playlist's address, with a query if it needs one.
    ///   - others: the names of further playlists of the same master playlist, in the same folder.
    public init(playlist: String, others: [String] = []) {
        let parts = playlist.split(separator: "?", maxSplits: 1)
        let path = parts.first.map { String($0) } ?? ""
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        folder = String(path[...slash])
        names = [String(path[slash...].dropFirst())] + others
        query = parts.count > 1 ? String(parts[1]) : ""
    }

    /// What one run has seen.
    public struct Outcome: Sendable {
        public var checker: StrictChecker
        /// Parts that were announced, and fetched.
        public var parts: Int
        /// Deltas that left something out.
        public var deltas: Int
    }

    /// Follows the stream to its end.
    /// - Parameter tolerance: how late something may come; see ``StrictChecker``.
    public func follow(tolerance: TimeAmount) async throws -> Outcome {
        try await withThrowingTaskGroup(of: StrictExchange.self) { group in
            var exchanges: [StrictExchange] = []
            var fetched: Set<String> = []
            var newestOf: [String: ClientPlaylist] = [:]
            var hinted = 0
            var deltas = 0
            func fetch(_ uri: String) {
                guard fetched.insert(uri).inserted else { return }
                group.addTask { try await get(.media(uri)) }
            }
            func request(_ name: String, _ directives: StrictExchange.Directives) {
                group.addTask { try await get(.playlist(name, directives)) }
            }
            for name in names { request(name, .init()) }
            while let exchange = try await group.next() {
                exchanges.append(exchange)
                guard case .playlist(let name, let directives) = exchange.subject, exchange.status == 200,
                    case .media(let playlist)? = try? ClientDocument(exchange.body)
                else { continue }
                if playlist.skipped > 0 { deltas += 1 }
                let newest = newestOf[name]
                func ask(_ directives: StrictExchange.Directives) { request(name, directives) }
                // Deltas are for the checker; what is asked for next follows from whole playlists.
                guard !directives.skips, directives.sequence == nil || directives.part != nil,
                    playlist.edge.map({ edge in newest?.edge.map { $0 < edge } ?? true }) ?? false || playlist.isEnded
                else { continue }
                let isFirst = newest == nil
                newestOf[name] = playlist
                for segment in playlist.segments {
                    if let map = segment.map { fetch(map) }
                    for part in segment.parts where !part.isGap { fetch(part.uri) }
                    if let uri = segment.uri, !segment.isGap { fetch(uri) }
                }
                guard !playlist.isEnded, let edge = playlist.edge else { continue }
                for hint in playlist.hintedParts where !fetched.contains(hint) {
                    hinted += 1
                    fetch(hint)
                }
                let next =
                    edge.part == .max
                    ? StrictExchange.Directives(sequence: edge.sequence + 1, part: 0)
                    : .init(sequence: edge.sequence, part: edge.part + 1)
                ask(next)
                ask(.init(sequence: next.sequence, part: next.part, skips: true))
                // Without waiting, and at the end of each segment for a whole one.
                if hinted % 5 == 0 { ask(.init()) }
                if edge.part == .max { ask(.init(sequence: edge.sequence + 1)) }
                if isFirst || hinted % 20 == 0 {
                    ask(.init(part: 1))
                    ask(.init(sequence: edge.sequence + 10))
                    ask(.init(sequence: edge.sequence + (edge.part == .max ? 1 : 0), part: 1_000))
                    // The same as the next one, but beyond the parts that a segment has: the next segment's first is as good.
                    ask(.init(sequence: max(0, edge.sequence - 1), part: 100))
                }
            }
            var checker = StrictChecker(tolerance: tolerance)
            for exchange in exchanges.sorted(by: { $0.received < $1.received }) { checker.check(exchange) }
            return Outcome(checker: checker, parts: hinted, deltas: deltas)
        }
    }

    private func get(_ subject: StrictExchange.Subject) async throws -> StrictExchange {
        var queries = query.isEmpty ? [] : [query]
        let file: String
        switch subject {
        case .media(let uri):
            file = uri
        case .playlist(let name, let directives):
            file = name
            if let sequence = directives.sequence { queries.append("_HLS_msn=\(sequence)") }
            if let part = directives.part { queries.append("_HLS_part=\(part)") }
            if directives.skips { queries.append("_HLS_skip=YES") }
        }
        let sent = NIODeadline.now()
        let request = HTTPClientRequest(
            url: folder + file + (queries.isEmpty ? "" : "?\(queries.joined(separator: "&"))"))
        let response: HTTPClientResponse
        do {
            response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        } catch  where Self.isClosed(error) {
            // A server may end a connection between two answers; what meets that is asked for once more (RFC 9112 §9.3.1).
            response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        }
        let body = try await response.body.collect(upTo: 64 << 20)
        return StrictExchange(
            subject, sent: sent, received: .now(), status: Int(response.status.code),
            contentType: response.headers.first(name: "content-type") ?? "", body: body)
    }

    private static func isClosed(_ error: any Error) -> Bool {
        error as? HTTPClientError == .remoteConnectionClosed || (error as? IOError)?.errnoCode == ECONNRESET
            // The end came before the request went out.
            || error as? ChannelError == .ioOnClosedChannel
    }
}
