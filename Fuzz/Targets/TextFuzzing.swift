import ControlAPI
import Delivery
import NIOCore
import Settings
import TLS

/// What comes as text: requests to the control API, players' paths, configuration files.
enum TextFuzzing {
    static func json(_ input: [UInt8]) throws {
        guard let document = try? JSONParser.parse(input) else { return }
        try promise(document.text == input, "A document does not keep its text.")
        let written = JSONWriter.write(document.root, style: .raw)
        guard let again = try? JSONParser.parse(written) else {
            throw BrokenPromise(description: "JSON cannot be read as it was written.")
        }
        try promise(again.root == document.root, "JSON does not read as it was written.")
        for style in [JSONWriter.Style.php, .python] {
            let text = JSONWriter.write(document.root, style: style)
            try promise((try? JSONParser.parse(text)) != nil, "JSON in another style cannot be read.")
        }
        _ = PHPSerializer.write(document.root)
        if let rest = document.textRemoving("signature") {
            try promise(rest.count < input.count, "Cutting a member out makes the text longer.")
            guard let without = try? JSONParser.parse(rest) else {
                throw BrokenPromise(description: "The text without a member is no JSON.")
            }
            try promise(without.textRemoving("signature") == nil, "A member is there after it was cut out.")
        }
    }

    /// The content type, a line feed, the body.
    static func forms(_ input: [UInt8]) throws {
        let end = input.firstIndex(of: UInt8(ascii: "\n")) ?? input.endIndex
        let line = String(decoding: input[..<end], as: UTF8.self)
        let type = line.last == "\r" ? String(line.dropLast()) : line
        let body = Array(input[end...].dropFirst())
        guard let request = try? ControlRequest(contentType: type, body: body) else { return }
        try promise(request.text.count <= body.count, "A form's field is longer than its body.")
    }

    static func paths(_ input: [UInt8]) throws {
        guard let text = String(validating: input, as: UTF8.self), let path = PlaybackPath(text[...]) else { return }
        // By bytes: a slash with a combining mark after it is another character, and the same separator.
        let names = path.name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        for part in [path.app, path.instance] + names {
            try promise(part != "." && part != ".." && !part.isEmpty, "The path leads elsewhere: \(part)")
            try promise(part.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f && $0 != 0x2f }, "A part holds \(part)")
        }
        if case .file(let name) = path.resource {
            try promise("/\(name)" == text.suffix(name.description.utf8.count + 1), "The file's name reads \(name).")
        }
        for address in path.addresses { try promise(address.isValid, "\(address) is no address.") }
    }

    static func heads(_ input: [UInt8]) throws {
        var searched = 0
        guard case .head(let head) = RequestHead.read(ByteBuffer(bytes: input), searched: &searched) else {
            // What came in pieces is judged like the whole.
            try promise(searched <= input.count, "More was searched than came.")
            return
        }
        try promise(head.length <= input.count, "The head is longer than what came.")
        try promise(
            head.target.utf8.first == UInt8(ascii: "/") && head.target.utf8.allSatisfy { (0x21...0x7E).contains($0) },
            "The target is \(head.target)")
        for field in RequestHead.Field.allCases {
            let values = head.all(field)
            try promise(values.first == head[field] && values.isEmpty != head.has(field), "\(field) is \(values)")
            for value in values {
                try promise(
                    value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }, "\(field) holds \(value)")
            }
        }
        var pieces = ByteBuffer()
        searched = 0
        for (index, byte) in input.prefix(head.length).enumerated() {
            if index > 0, case .incomplete = RequestHead.read(pieces, searched: &searched) {
            } else if index > 0 {
                throw BrokenPromise(description: "The head is read after \(index) of \(head.length) bytes.")
            }
            pieces.writeInteger(byte)
        }
        guard case .head = RequestHead.read(pieces, searched: &searched) else {
            throw BrokenPromise(description: "The head is not read when it comes byte by byte.")
        }
    }

    static func hellos(_ input: [UInt8]) throws {
        let whole = ClientHello.read(ByteBuffer(bytes: input))
        switch whole {
        case .incomplete(let needed):
            try promise(needed > input.count, "\(needed) bytes are asked for, and \(input.count) are there.")
        case .hello(let hello):
            let name = hello.serverName ?? "none"
            try promise(
                name.utf8.allSatisfy { (0x21...0x7E).contains($0) && !(0x41...0x5A).contains($0) },
                "The name is \(name)")
        case .foreign: break
        }
        // As it comes: what was once decided stays so.
        var needed = 1
        for length in 1...max(1, input.count) where length >= needed && length <= input.count {
            let part = ClientHello.read(ByteBuffer(bytes: input[..<length]))
            guard case .incomplete(let more) = part else {
                try promise(part == whole, "\(part) after \(length) bytes, and \(whole) in the end.")
                return
            }
            needed = more
        }
    }

    static func yaml(_ input: [UInt8]) throws {
        guard let text = String(validating: input, as: UTF8.self) else { return }
        let file = ConfigurationFile(name: "fuzz.yaml", text: text)
        do {
            let configuration = try PlayhouseConfiguration.load(file: file, environment: [:])
            try promise(
                configuration.hls.segmentMaxDuration >= configuration.hls.segmentDuration, "Contradictions pass.")
        } catch let problems as ConfigurationProblems {
            try promise(!problems.description.isEmpty, "Problems without words.")
        }
    }
}
