import Basics
import CMaxMindDB
import Foundation
import Logging
import Synchronization
import Usher

/// Which country an address is in: MaxMind DB files (GeoLite2, DB-IP and others have that form), read again when they were
/// replaced. Of several, such as one for each address family or one with corrections, the first that knows an address decides.
///
/// May be used from any task.
public final class CountryDatabase: Sendable {
    public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
        public var description: String
    }

    private let files: [CountryDatabaseFile]

    /// Nothing is read before `refresh`.
    /// - Parameter paths: in the order in which they are asked.
    public init(paths: [String], logger: Logger) {
        let consequence = Self.consequence(ofMissingOneOf: paths.count)
        files = paths.map { CountryDatabaseFile(path: $0, consequence: consequence, logger: logger) }
    }

    /// Where `address` is. Asks memory only. An address that no file knows is nowhere only when every file has been read.
    public func country(of address: IPAddress) -> PlaceRule.Country {
        var isComplete = true
        for file in files {
            switch file.country(of: address) {
            case .code(let code): return .code(code)
            case .noDatabase: isComplete = false
            case .unknown: break
            }
        }
        return isComplete && !files.isEmpty ? .unknown : .noDatabase
    }

    /// Whether any file has been read.
    public var isLoaded: Bool { files.contains { $0.isLoaded } }

    /// Files of which nothing could be read so far.
    var unread: [String] { files.filter { !$0.isLoaded }.map(\.path) }

    /// Reads each file that is another than before; blocks meanwhile. One that cannot be read leaves what is known as it was, and
    /// that is said once in the log.
    /// - Returns: whether there is something new.
    @discardableResult
    public func refresh() -> Bool {
        files.reduce(false) { $1.refresh() || $0 }
    }

    /// Throws what is wrong with a file, if anything is.
    public static func check(path: String) throws(Failure) {
        try CountryDatabaseFile.check(path: path)
    }

    /// What it means that a file cannot be read.
    public static func consequence(ofMissingOneOf count: Int) -> String {
        "lists of countries admit nobody" + (count > 1 ? " whom no other one knows" : "")
    }
}

/// One file of the database.
///
/// It is copied into memory: whoever writes over it while it is in use would otherwise end the process.
private final class CountryDatabaseFile: Sendable {
    typealias Failure = CountryDatabase.Failure

    /// The file as it was read.
    private struct State: Sendable {
        var content: Content?
        var stamp: FileStamp?
        /// What was said of the file last, so that it is said once.
        var complaint: String?
    }

    let path: String
    private let consequence: String
    private let logger: Logger
    private let state = Mutex(State())

    /// Bytes of the largest file read; the largest there are have a tenth of it.
    private static let maximumSize: Int64 = 1 << 30

    init(path: String, consequence: String, logger: Logger) {
        self.path = path
        self.consequence = consequence
        self.logger = logger
    }

    func country(of address: IPAddress) -> PlaceRule.Country {
        guard let content = state.withLock({ $0.content }) else { return .noDatabase }
        return content.country(of: address).map { .code($0) } ?? .unknown
    }

    var isLoaded: Bool { state.withLock { $0.content != nil } }

    func refresh() -> Bool {
        do throws(Failure) {
            let stamp = try Self.stamp(of: path)
            // Of the file as it is before it is read: one that changes meanwhile is read again, and one that is no database is not.
            let isOther = state.withLock { state in
                defer { state.stamp = stamp }
                return state.stamp != stamp
            }
            guard isOther else { return false }
            let content = try Content.read(path)
            let type = content.type
            state.withLock { state in
                state.content = content
                state.complaint = nil
            }
            logger.info("country database read", metadata: ["file": "\(path)", "type": "\(type)"])
            return true
        } catch {
            let (isNew, isKnown) = state.withLock { state in
                defer { state.complaint = error.description }
                return (state.complaint != error.description, state.content != nil)
            }
            if isNew {
                logger.error(
                    isKnown
                        ? "country database not read again, the one from before stays"
                        : "country database not read: streams with \(consequence)",
                    metadata: ["error": "\(error)"])
            }
            return false
        }
    }

    static func check(path: String) throws(Failure) {
        _ = try stamp(of: path)
        _ = try Content.read(path)
    }

    private static func stamp(of path: String) throws(Failure) -> FileStamp {
        let stamp: FileStamp
        do throws(FileStamp.Failure) {
            stamp = try FileStamp(path: path)
        } catch {
            throw Failure(description: "\(path): \(error)")
        }
        guard (1...maximumSize).contains(stamp.size) else {
            throw Failure(description: "\(path): its size is not that of a country database")
        }
        return stamp
    }

    /// An open database. It is only read once it is made.
    ///
    /// `@unchecked Sendable`: nothing changes `database` between `init` and `deinit`, and libmaxminddb's look-ups may be made from
    /// any number of threads.
    private final class Content: @unchecked Sendable {
        private let database: UnsafeMutablePointer<MMDB_s>

        /// - Parameter database: open.
        private init(_ database: UnsafeMutablePointer<MMDB_s>) {
            self.database = database
        }

        static func read(_ path: String) throws(Failure) -> Content {
            let copy = try copy(of: path)
            defer { close(copy) }
            let database = UnsafeMutablePointer<MMDB_s>.allocate(capacity: 1)
            // What is mapped lives on when the descriptor is closed.
            let result = MMDB_open("/proc/self/fd/\(copy)", UInt32(MMDB_MODE_MMAP), database)
            guard result == MMDB_SUCCESS else {
                database.deallocate()
                throw Failure(description: "\(path): it is no MaxMind DB: \(String(cString: MMDB_strerror(result)))")
            }
            return Content(database)
        }

        deinit {
            MMDB_close(database)
            database.deallocate()
        }

        /// Such as `GeoLite2-Country`.
        var type: String {
            database.pointee.metadata.database_type.map { String(cString: $0).cut() } ?? ""
        }

        /// A copy in memory that nobody else can change.
        /// - Returns: its descriptor.
        private static func copy(of path: String) throws(Failure) -> Int32 {
            func failure() -> Failure { Failure(description: "\(path): \(String(cString: strerror(errno)))") }
            let source = open(path, O_RDONLY | O_CLOEXEC)
            guard source >= 0 else { throw failure() }
            defer { close(source) }
            let copy = playhouse_memory_file()
            guard copy >= 0 else { throw failure() }
            var total: Int64 = 0
            while total <= maximumSize {
                // Within the kernel, 64 MiB at most at once.
                let count = sendfile(copy, source, nil, 64 << 20)
                if count == 0 { return copy }
                if count < 0, errno != EINTR { break }
                total += Int64(max(0, count))
            }
            let failed = failure()
            close(copy)
            throw failed
        }

        /// nil when the database does not say.
        func country(of address: IPAddress) -> String? {
            let bytes = address.sortKey.dropFirst()
            var error: Int32 = 0
            let result: MMDB_lookup_result_s
            switch address.family {
            case .v4:
                var socket = sockaddr_in()
                socket.sin_family = sa_family_t(AF_INET)
                withUnsafeMutableBytes(of: &socket.sin_addr) { $0.copyBytes(from: bytes.suffix(4)) }
                result = withUnsafeBytes(of: &socket) { lookUp($0, &error) }
            case .v6:
                var socket = sockaddr_in6()
                socket.sin6_family = sa_family_t(AF_INET6)
                withUnsafeMutableBytes(of: &socket.sin6_addr) { $0.copyBytes(from: bytes) }
                result = withUnsafeBytes(of: &socket) { lookUp($0, &error) }
            }
            guard error == MMDB_SUCCESS, result.found_entry else { return nil }
            // MaxMind and DB-IP; IPinfo.
            return text(at: ["country", "iso_code"], of: result.entry) ?? text(at: ["country_code"], of: result.entry)
                ?? text(at: ["country"], of: result.entry)
        }

        private func lookUp(_ socket: UnsafeRawBufferPointer, _ error: inout Int32) -> MMDB_lookup_result_s {
            guard let address = socket.baseAddress else { return MMDB_lookup_result_s() }
            return MMDB_lookup_sockaddr(database, address.assumingMemoryBound(to: sockaddr.self), &error)
        }

        /// Two letters at that place of a record, in upper case.
        private func text(at path: [StaticString], of entry: MMDB_entry_s) -> String? {
            var entry = entry
            var data = MMDB_entry_data_s()
            // Constants of the program end with a NUL.
            var names = path.map { name -> UnsafePointer<CChar>? in
                UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
            }
            names.append(nil)
            guard MMDB_aget_value(&entry, &data, names) == MMDB_SUCCESS, data.has_data,
                data.type == UInt32(MMDB_DATA_TYPE_UTF8_STRING), data.data_size == 2, let start = data.utf8_string
            else { return nil }
            let bytes = UnsafeRawBufferPointer(start: start, count: 2)
            return String(validating: bytes, as: UTF8.self)?.uppercased()
        }
    }
}
