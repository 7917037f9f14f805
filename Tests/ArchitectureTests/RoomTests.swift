import Foundation
import Testing

/// The layout of docs/architecture.md, held by a test: each room uses only the rooms above it, and protocol rooms open no
/// sockets.
@Suite struct RoomTests {
    /// In order: each may use those before it.
    static let rooms = [
        "Basics", "Media", "RTMP", "MPEGTS", "FragmentedMP4", "HLS", "Usher", "Storage", "Live", "Admission",
        "TLS", "RTMPServer",
        "PushPublish", "ControlAPI", "Delivery", "Settings", "Origin", "Load", "playhouse",
    ]
    static let protocolRooms = ["Basics", "Media", "RTMP", "MPEGTS", "FragmentedMP4", "HLS", "Usher"]

    struct Source: Sendable {
        var room: String
        var path: String
        var text: String

        var imports: [String] {
            text.split(separator: "\n").compactMap { line in
                let words = line.split(separator: " ")
                guard let index = words.firstIndex(of: "import"), index + 1 < words.count, index <= 1 else {
                    return nil
                }
                return String(words[index + 1])
            }
        }
    }

    static let sources: [Source] = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Sources")
        var sources: [Source] = []
        for room in rooms {
            let folder = root.appendingPathComponent(room)
            let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
            while let file = files?.nextObject() as? URL {
                guard file.pathExtension == "swift", let text = try? String(contentsOf: file, encoding: .utf8) else {
                    continue
                }
                sources.append(Source(room: room, path: file.path, text: text))
            }
        }
        return sources
    }()

    @Test("Every room has sources")
    func everyRoomHasSources() {
        #expect(Set(Self.sources.map(\.room)) == Set(Self.rooms))
    }

    @Test("A room uses only rooms above it")
    func aRoomUsesOnlyRoomsAboveIt() {
        for source in Self.sources {
            let above = Set(Self.rooms.prefix { $0 != source.room })
            for module in source.imports where Self.rooms.contains(module) {
                #expect(above.contains(module), "\(source.path) imports \(module)")
            }
        }
    }

    /// Order alone would allow these, but they would make one room of two: the stage knows media and not who may watch, doors
    /// and pushes do not know each other, and the settings know no room that is set up with them.
    @Test("Rooms that must not know each other do not")
    func roomsThatMustNotKnowEachOther() {
        let forbidden: [String: Set<String>] = [
            "Live": ["MPEGTS", "FragmentedMP4", "HLS", "Usher", "Storage"],
            "Admission": ["Media", "MPEGTS", "FragmentedMP4", "HLS"],
            "TLS": ["Media", "RTMP", "MPEGTS", "FragmentedMP4", "HLS", "Usher", "Storage"],
            "RTMPServer": ["MPEGTS", "FragmentedMP4", "HLS"],
            "PushPublish": ["Admission", "RTMPServer", "HLS"],
            "ControlAPI": ["RTMPServer", "HLS"],
            "Delivery": ["RTMPServer", "PushPublish", "ControlAPI"],
            // Who makes load is a client like any other.
            "Load": Set(Self.rooms).subtracting(["Basics", "RTMP"]),
            "Settings": [
                "Media", "RTMP", "HLS", "Live", "Admission", "RTMPServer", "PushPublish", "ControlAPI", "Delivery",
            ],
        ]
        for source in Self.sources {
            let unwanted = forbidden[source.room, default: []].intersection(source.imports)
            #expect(unwanted.isEmpty, "\(source.path) imports \(unwanted)")
        }
    }

    @Test("Protocol rooms open no sockets")
    func protocolRoomsOpenNoSockets() {
        let forbidden = ["NIOPosix", "NIO", "NIOSSL", "Hummingbird", "AsyncHTTPClient", "GRDB"]
        for source in Self.sources where Self.protocolRooms.contains(source.room) {
            #expect(Set(source.imports).isDisjoint(with: forbidden), "\(source.path)")
        }
    }

    @Test("Protocol rooms read no clock")
    func protocolRoomsReadNoClock() {
        // Defaults of parameters that callers may leave out are clocks as well, so the text is searched, not the imports.
        let clocks = ["Date()", "Date.now", "NIODeadline.now()", "ContinuousClock", "DispatchTime", "clock_gettime"]
        for source in Self.sources where Self.protocolRooms.contains(source.room) {
            for clock in clocks {
                #expect(!source.text.contains(clock), "\(source.path) reads \(clock)")
            }
        }
    }

    @Test("Sources trap on nothing")
    func nothingTraps() {
        for source in Self.sources {
            for trap in ["try!", "as!", "fatalError(", "preconditionFailure("] {
                let lines = source.text.split(separator: "\n").filter {
                    $0.contains(trap) && !$0.trimmingCharacters(in: .whitespaces).hasPrefix("//")
                }
                #expect(lines.isEmpty, "\(source.path): \(lines.joined())")
            }
        }
    }

    @Test("Unsafe concurrency says why it is safe")
    func unsafeConcurrencySaysWhyItIsSafe() {
        for source in Self.sources
        where source.text.contains(": @unchecked Sendable") || source.text.contains(", @unchecked Sendable")
            || source.text.contains("nonisolated(unsafe)")
        {
            let hasProof =
                source.text.contains("`@unchecked Sendable`") || source.text.contains("`nonisolated(unsafe)`")
            #expect(hasProof, "\(source.path)")
        }
    }

    @Test("Files are short enough to be read in one go")
    func filesCanBeReadInOneGo() {
        for source in Self.sources {
            let lines = source.text.split(separator: "\n", omittingEmptySubsequences: false).count
            #expect(lines <= 600, "\(source.path) has \(lines) lines")
        }
    }

    @Test("Every source file that the architecture document names exists")
    func namedFilesExist() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("docs/architecture.md"), encoding: .utf8)
        let names = text.matches(of: /`([A-Za-z0-9\/+]+\/[A-Za-z0-9+]+\.swift)`/).map { String($0.1) }
        #expect(names.count > 30)
        for name in names {
            let exists = ["Sources/\(name)", name].contains {
                FileManager.default.fileExists(atPath: root.appendingPathComponent($0).path)
            }
            #expect(exists, "\(name)")
        }
    }
}
