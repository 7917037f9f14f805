import NIOCore
import Testing

@testable import Media

/// The first bytes of keyframes by libvpx 1.12 in ffmpeg 5.1, one of each profile but 3.
struct VP9KeyframeHeaderTests {
    @Test(
        "A VP9 keyframe's header tells the frame's size",
        arguments: [
            ("8249834200 13f00b3606", Resolution(width: 320, height: 180)),
            ("a249834200 0282016ac0", Resolution(width: 322, height: 182)),
            ("9249834200 0a0805ab03", Resolution(width: 322, height: 182)),
            // sRGB has no range and no subsampling.
            ("a2498342e0 14100b5606", Resolution(width: 322, height: 182)),
        ])
    func tellsTheSize(frame: String, resolution: Resolution) throws {
        #expect(try VP9KeyframeHeader(frame: bytes(frame)).resolution == resolution)
    }

    @Test(
        "What is no VP9 keyframe is refused",
        arguments: [
            ("", "ends too early"), ("8249834200", "ends too early"), ("4249834200 13f00b3606", "no frame marker"),
            ("8649834200 13f00b3606", "no keyframe"), ("8a49834200 13f00b3606", "no keyframe"),
            ("8249834300 13f00b3606", "no sync code"),
        ])
    func refusesWhatIsNoKeyframe(frame: String, reason: String) {
        #expect(throws: MediaParseError("VP9 keyframe", reason)) { try VP9KeyframeHeader(frame: bytes(frame)) }
    }
}
