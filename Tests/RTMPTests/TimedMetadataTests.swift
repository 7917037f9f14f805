import Media
import NIOCore
import Testing

@testable import RTMP

@Suite("What data messages tell viewers") struct TimedMetadataTests {
    private func told(_ name: String, _ values: [AMFValue]) -> TimedMetadata? {
        RTMPDataMessage(streamID: 1, name: name, values: values).timedMetadata
    }

    @Test("Text data and cue points are told as JSON")
    func told() {
        #expect(
            told("onTextData", [.object(["text": "Hello \"you\"\n", "language": "eng"])])
                == TimedMetadata(name: "onTextData", json: #"{"text":"Hello \"you\"\u000a","language":"eng"}"#))
        #expect(
            told(
                "onCuePoint",
                [.ecmaArray(["name": "ad", "time": 1.5, "type": "event", "parameters": .object(["length": 30])])])
                == TimedMetadata(
                    name: "onCuePoint", json: #"{"name":"ad","time":1.5,"type":"event","parameters":{"length":30}}"#))
        #expect(told("onFI", ["12:00", 1])?.json == #"["12:00",1]"#)
        #expect(told("onFI", [])?.json == "[]")
        #expect(told("on\u{1}FI\u{7F}", [true])?.name == "onFI")
    }

    @Test("Every AMF value has its JSON")
    func values() {
        let all: AMFValue = .strictArray([
            .number(-0.5), .number(1e300), .number(.nan), .number(.infinity), .boolean(false), .null, .undefined,
            .date(milliseconds: 1_700_000_000_000, timeZone: 60), .xml("<a/>"),
            .byteArray(ByteBuffer(bytes: [1, 2, 3, 4])), .typedObject("C", ["a\\": .string("\u{0}é\u{1F600}")]),
            .number(9_007_199_254_740_992), .number(-3),
        ])
        #expect(
            all.json(upTo: 1_000)
                == #"[-0.5,1e+300,null,null,false,null,null,1700000000000,"<a/>","AQIDBA==",{"a\\":"\u0000é😀"},"#
                + "9007199254740992.0,-3]")
    }

    @Test(
        "What is not for viewers is not told",
        arguments: ["onMetaData", "onStatus", "onPlayStatus", "|RtmpSampleAccess", "@clearDataFrame", "", "1on"])
    func notForViewers(name: String) {
        #expect(told(name, [.object(["a": 1])]) == nil)
    }

    @Test("What would be longer than 16 KiB is not told, however small its message")
    func tooLong() {
        let most = RTMPDataMessage.mostTimedMetadataBytes - "onTextData".utf8.count
        // The text and its quotation marks; five bytes are kept free for a character that has to be escaped.
        let text = String(repeating: "x", count: most - 7)
        #expect(told("onTextData", [.string(text)])?.json.utf8.count == most - 5)
        #expect(told("onTextData", [.string(text + String(repeating: "x", count: 6))]) == nil)
        let huge = AMFValue.strictArray(Array(repeating: .string(text), count: 10_000))
        #expect(told("onTextData", [huge]) == nil)
        #expect(told("onTextData", [.byteArray(ByteBuffer(repeating: 0, count: most - 1_000))]) == nil)
        #expect(told(String(repeating: "n", count: 257), [1]) == nil)
    }
}
