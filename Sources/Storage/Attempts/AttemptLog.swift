import Basics
import Foundation
import Synchronization

/// What questions about attempts are asked of: the volumes, and in memory the rows that are in none yet. A copy of what the
/// database says, taken in by every question before it is answered.
final class AttemptLog: Sendable {
    /// A volume as the database lists it.
    struct VolumeRow: Sendable, Hashable {
        var file: String
        var firstID: Int64
        var lastID: Int64
        var rows: Int
        /// Microseconds since 1970, of its rows.
        var oldest: Int64
        var newest: Int64
    }

    /// The file of a volume that the database listed is not there.
    struct VolumeGone: Error {
        var path: String
    }

    /// A volume, open.
    struct Part: Sendable {
        var row: VolumeRow
        var volume: AttemptVolume
        /// For each of the volume's names its number in `AttemptNames`.
        var numbers: [Int]
    }

    /// How far the database has been taken in.
    struct Position: Sendable, Equatable {
        /// Counts the changes of `after` and of the list of volumes.
        var generation: Int64 = -1
        /// Rows up to this id are in volumes, or gone.
        var after: Int64 = 0
        var lastID: Int64 = 0
        var lastFold: Int64 = 0
    }

    /// What one reading of the database found behind a position.
    struct News: Sendable {
        var generation: Int64
        var after: Int64
        /// nil: as before.
        var volumes: [VolumeRow]?
        /// By id.
        var rows: [(entry: AttemptEntry, name: AttemptName)] = []
        /// Repeats that were added to older rows since.
        var folds: [(fold: Int64, id: Int64, added: Int)] = []
    }

    struct State: Sendable {
        fileprivate(set) var position = Position()
        /// The newest first.
        fileprivate(set) var parts: [Part] = []
        fileprivate(set) var names = AttemptNames()
        /// By date and id.
        fileprivate var tail: [AttemptEntry] = []
        /// `ColdVolumes.pagesOfThread`, but in tests.
        fileprivate let pagesWaitedFor: @Sendable () -> Int

        fileprivate init(pagesWaitedFor: @escaping @Sendable () -> Int) {
            self.pagesWaitedFor = pagesWaitedFor
        }

        fileprivate mutating func takeIn(_ news: News, _ opened: [Part]?) {
            // Somebody else may have taken in newer things meanwhile. What is older is in them.
            guard news.generation >= position.generation else { return }
            for fold in news.folds where fold.fold > position.lastFold {
                position.lastFold = fold.fold
                // Rows that come with this news have their folds already.
                guard fold.id <= position.lastID, let index = tail.lastIndex(where: { $0.id == fold.id }) else {
                    continue
                }
                tail[index].repeats = tail[index].repeats.addingSaturated(fold.added)
            }
            for row in news.rows where row.entry.id > position.lastID {
                position.lastID = row.entry.id
                var entry = row.entry
                entry.name = names.number(of: row.name)
                var place = tail.count
                while place > 0, tail[place - 1].date > entry.date { place -= 1 }
                tail.insert(entry, at: place)
            }
            guard news.generation > position.generation else { return }
            position.generation = news.generation
            if let opened {
                parts = opened
                for index in parts.indices where parts[index].numbers.isEmpty {
                    parts[index].numbers = parts[index].volume.names.map { names.number(of: $0) }
                }
            }
            if news.after > position.after {
                position.after = news.after
                position.lastID = max(position.lastID, news.after)
                tail.removeAll { $0.id <= news.after }
            }
        }
    }

    /// Where the volumes' files lie.
    let folder: String
    private let state: Mutex<State>

    init(folder: String, pagesWaitedFor: @escaping @Sendable () -> Int = ColdVolumes.pagesOfThread) {
        self.folder = folder
        state = Mutex(State(pagesWaitedFor: pagesWaitedFor))
    }

    var position: Position {
        state.withLock { $0.position }
    }

    /// Takes news in, and gives what is known then. Throws `VolumeGone`, and what a damaged volume throws.
    func takeIn(_ news: News) throws -> State {
        var opened: [Part]?
        if let rows = news.volumes {
            let known = state.withLock { $0.parts }.reduce(into: [:]) { $0[$1.row.file] = $1 }
            opened = try rows.map { row -> Part in
                if let part = known[row.file] { return part }
                let path = "\(folder)/\(row.file)"
                guard FileManager.default.fileExists(atPath: path) else { throw VolumeGone(path: path) }
                return Part(row: row, volume: try AttemptVolume(path: path), numbers: [])
            }.sorted { $0.row.lastID > $1.row.lastID }
        }
        return state.withLock { state in
            state.takeIn(news, opened)
            return state
        }
    }
}

extension AttemptLog.State {
    /// How many attempts a question means.
    func count(_ question: AttemptQuestion) throws -> Int {
        let isMeant = names.matching(question)
        var tally = AttemptTally()
        for entry in tail where isMeant[entry.name] && question.matches(entry) {
            tally += AttemptTally(rows: 1, attempts: entry.repeats)
        }
        var cold = ColdVolumes(pagesWaitedFor)
        for (index, part) in parts.enumerated() {
            try question.checkEnd()
            cold.reach(index, of: parts.count) { ask(parts[$0], question, isMeant) }
            let local = part.numbers.map { isMeant[$0] }
            if local.contains(true) { tally += try part.volume.tally(question, isMeant: local) }
        }
        return tally.attempts
    }

    /// What asking brings into the cache is all that matters: what fails will fail again.
    private func ask(_ part: AttemptLog.Part, _ question: AttemptQuestion, _ isMeant: [Bool]) {
        var question = question
        question.isCold = true
        let local = part.numbers.map { isMeant[$0] }
        if local.contains(true) { _ = try? part.volume.tally(question, isMeant: local) }
    }

    /// Where the rows are that a question means, the newest first.
    struct Found: Sendable {
        /// Ids of rows that are in no volume.
        var tail: [Int64] = []
        var rows: [(volume: AttemptVolume, rows: [Int])] = []
    }

    /// - Parameter lastID: rows behind it are left out.
    func find(_ question: AttemptQuestion, upTo lastID: Int64, limit: Int, offset: Int) throws -> Found {
        let isMeant = names.matching(question)
        var found = Found()
        var (skipped, left) = (max(0, offset), max(0, limit))
        // The volumes' rows lie in the order of their ids, and who asks for ids wants the others so as well.
        let tail = question.beforeID == nil ? tail : tail.sorted { $0.id < $1.id }
        for entry in tail.reversed() where isMeant[entry.name] && entry.id <= lastID && question.matches(entry) {
            if skipped > 0 {
                skipped -= 1
            } else if left > 0 {
                left -= 1
                found.tail.append(entry.id)
            } else {
                return found
            }
        }
        var cold = ColdVolumes(pagesWaitedFor)
        for (index, part) in parts.enumerated() where left > 0 {
            try question.checkEnd()
            cold.reach(index, of: parts.count) { ask(parts[$0], question, isMeant) }
            let local = part.numbers.map { isMeant[$0] }
            guard local.contains(true) else { continue }
            let rows = try part.volume.rows(question, isMeant: local, skipped: &skipped, limit: left)
            left -= rows.count
            if !rows.isEmpty { found.rows.append((part.volume, rows)) }
        }
        return found
    }
}
