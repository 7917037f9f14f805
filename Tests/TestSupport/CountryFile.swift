import Foundation

/// A small MaxMind DB file (format 2.0): countries of networks.
public enum CountryFile {
    private static let marker: [UInt8] = [0xAB, 0xCD, 0xEF] + Array("MaxMind.com".utf8)

    /// A record of a node of the search tree.
    private enum Record {
        case empty
        case node(Int)
        /// Offset in the data section.
        case data(Int)
    }

    /// - Parameters:
    ///   - networks: each with the 128 bits of its address, IPv4 below ::/96, the length of its prefix, and its country.
    ///   - version: 4 for a file of IPv4 networks that has no others.
    public static func bytes(
        _ networks: [(address: [UInt8], prefix: Int, country: String)], version: Int = 6
    ) -> [UInt8] {
        let skipped = version == 4 ? 96 : 0
        var nodes: [(Record, Record)] = [(.empty, .empty)]
        var data: [UInt8] = []
        var offsets: [String: Int] = [:]
        for network in networks {
            if offsets[network.country] == nil {
                offsets[network.country] = data.count
                data += map([("country", map([("iso_code", text(network.country))]))])
            }
            var node = 0
            for bit in skipped..<network.prefix {
                let isRight = network.address[bit / 8] >> UInt8(7 - bit % 8) & 1 == 1
                let record = isRight ? nodes[node].1 : nodes[node].0
                var next = record
                if bit == network.prefix - 1 {
                    next = .data(offsets[network.country] ?? 0)
                } else if case .node = record {
                } else {
                    // A wider network that is there already goes on around the narrower one.
                    nodes.append((record, record))
                    next = .node(nodes.count - 1)
                }
                if isRight { nodes[node].1 = next } else { nodes[node].0 = next }
                if case .node(let child) = next { node = child }
            }
        }
        func bytes(_ record: Record) -> [UInt8] {
            let value =
                switch record {
                case .empty: nodes.count
                case .node(let node): node
                case .data(let offset): nodes.count + 16 + offset
                }
            return [UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
        }
        let tree = nodes.flatMap { bytes($0.0) + bytes($0.1) }
        let metadata = map([
            ("node_count", number(nodes.count, type: 6, size: 4)), ("record_size", number(24, type: 5, size: 2)),
            ("ip_version", number(version, type: 5, size: 2)), ("database_type", text("Test-Country")),
            ("languages", [0, 4]), ("binary_format_major_version", number(2, type: 5, size: 2)),
            ("binary_format_minor_version", number(0, type: 5, size: 2)),
            ("build_epoch", [8, 2] + [0, 0, 0, 0, 0x65, 0x53, 0xF1, 0]), ("description", map([])),
        ])
        return tree + [UInt8](repeating: 0, count: 16) + data + marker + metadata
    }

    /// Written beside and moved into place, as programs that fetch such files do.
    public static func write(
        _ networks: [(address: [UInt8], prefix: Int, country: String)], version: Int = 6, to path: String
    ) throws {
        try Data(bytes(networks, version: version)).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    /// An IPv4 network as the files have it.
    public static func v4(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8, prefix: Int, _ country: String) -> (
        address: [UInt8], prefix: Int, country: String
    ) {
        ([UInt8](repeating: 0, count: 12) + [a, b, c, d], 96 + prefix, country)
    }

    private static func text(_ text: String) -> [UInt8] {
        [2 << 5 | UInt8(text.utf8.count)] + Array(text.utf8)
    }

    private static func map(_ members: [(String, [UInt8])]) -> [UInt8] {
        [7 << 5 | UInt8(members.count)] + members.flatMap { text($0.0) + $0.1 }
    }

    private static func number(_ value: Int, type: UInt8, size: Int) -> [UInt8] {
        [type << 5 | UInt8(size)] + (0..<size).reversed().map { UInt8(value >> ($0 * 8) & 255) }
    }
}
