import Admission
import Foundation
import Logging
import NIOSSL
import Synchronization

/// The certificates of one listener: read from files, read again when these were replaced, chosen by the name that a client asks
/// for.
///
/// May be used from any thread.
public final class ServerCertificates: Sendable {
    /// Where a pair stands.
    private struct Entry: Sendable {
        let files: CertificateFiles
        var loaded: LoadedCertificate
        /// Of both files before they were read; nil: they are to be read again whatever they are.
        var stamps: [FileStamp]?
        /// What was said of the files last, so that it is said once.
        var complaint: String?
        /// The day on which something was said of the certificate's end.
        var noticed: Int?
    }

    private struct State: Sendable {
        var entries: [Entry]
        var names: CertificateNames
    }

    private let group: String
    private let protocols: [String]
    private let logger: Logger
    private let state: Mutex<State>

    /// Reads all files; blocks meanwhile.
    /// - Parameters:
    ///   - group: the settings that name them: `https` or `rtmps`.
    ///   - files: the first is for clients that ask for no name, or for one that stands nowhere. Never empty.
    ///   - protocols: what is spoken inside, the dearest first (RFC 7301); empty: nothing is said of it.
    public init(
        group: String, files: [CertificateFiles], protocols: [String] = [], logger: Logger, now: Date = Date()
    ) throws(CertificateFinding) {
        guard !files.isEmpty else {
            throw CertificateFinding(setting: "\(group).certificate", sentence: "there is none")
        }
        var entries: [Entry] = []
        for files in files {
            let stamps = Self.stamps(of: files)
            let loaded = try LoadedCertificate(files, group: group, protocols: protocols)
            entries.append(Entry(files: files, loaded: loaded, stamps: stamps))
        }
        self.group = group
        self.protocols = protocols
        self.logger = logger
        let names = CertificateNames(entries.map(\.loaded.names))
        state = Mutex(State(entries: entries, names: names))
        noticeEnds(now: now)
    }

    /// What a server with these files would say, and what it would not start with.
    public static func check(
        group: String, files: [CertificateFiles], now: Date = Date()
    ) -> (problems: [CertificateFinding], notes: [CertificateFinding]) {
        var problems: [CertificateFinding] = []
        var notes: [CertificateFinding] = []
        for files in files {
            do throws(CertificateFinding) {
                let loaded = try LoadedCertificate(files, group: group, protocols: [])
                func finding(_ text: String) -> CertificateFinding {
                    CertificateFinding(setting: "\(group).certificate", sentence: "\(files.certificate): \(text)")
                }
                if let (text, isOver) = loaded.judge(now: now) {
                    if isOver { problems.append(finding(text)) } else { notes.append(finding(text)) }
                }
                if loaded.names.isEmpty { notes.append(finding("the certificate names no host")) }
            } catch {
                problems.append(error)
            }
        }
        return (problems, notes)
    }

    /// What a handshake is made with.
    /// - Parameter name: the host that the client asks for, in small letters; nil: it asks for none.
    func context(for name: String?) -> NIOSSLContext? {
        state.withLock { state in
            let index = state.names.index(for: name)
            return state.entries.indices.contains(index) ? state.entries[index].loaded.context : nil
        }
    }

    /// Reads each pair that is another than before; blocks meanwhile. One that cannot be read, or of which only one half was
    /// replaced so far, leaves the pair of before in force, which is said once in the log. Connections go on with what they began
    /// with.
    public func refresh(now: Date = Date()) {
        for index in state.withLock({ Array($0.entries.indices) }) {
            let entry = state.withLock { $0.entries[index] }
            let stamps = Self.stamps(of: entry.files)
            guard stamps == nil || entry.stamps == nil || stamps != entry.stamps else { continue }
            refresh(index, entry, stamps)
        }
        noticeEnds(now: now)
    }

    private func refresh(_ index: Int, _ entry: Entry, _ stamps: [FileStamp]?) {
        do throws(CertificateFinding) {
            let loaded = try LoadedCertificate(entry.files, group: group, protocols: protocols)
            state.withLock { state in
                // Files that change while they are read are read again.
                state.entries[index].stamps = stamps
                state.entries[index].loaded = loaded
                state.entries[index].complaint = nil
                state.entries[index].noticed = nil
                state.names = CertificateNames(state.entries.map(\.loaded.names))
            }
            logger.info(
                "certificate read",
                metadata: [
                    "file": "\(entry.files.certificate)",
                    "names": "\(loaded.names.prefix(8).joined(separator: " ").cut())",
                ])
        } catch {
            let text = error.description
            let isNew = state.withLock { state in
                defer {
                    state.entries[index].complaint = text
                    state.entries[index].stamps = nil
                }
                return state.entries[index].complaint != text
            }
            guard isNew else { return }
            logger.error("certificate not read, the one from before stays", metadata: ["error": "\(text)"])
        }
    }

    /// nil when one of the two is not there.
    private static func stamps(of files: CertificateFiles) -> [FileStamp]? {
        try? [FileStamp(path: files.certificate), FileStamp(path: files.key)]
    }

    /// Once a day for each certificate whose end is near.
    private func noticeEnds(now: Date) {
        let day = Int((now.timeIntervalSince1970 / 86_400).rounded(.down))
        let due = state.withLock { state in
            var due: [(text: String, isOver: Bool, file: String)] = []
            for index in state.entries.indices where state.entries[index].noticed != day {
                guard let (text, isOver) = state.entries[index].loaded.judge(now: now) else { continue }
                state.entries[index].noticed = day
                due.append((text, isOver, state.entries[index].files.certificate))
            }
            return due
        }
        for (text, isOver, file) in due {
            logger.log(level: isOver ? .error : .warning, "\(text)", metadata: ["file": "\(file)"])
        }
    }
}
