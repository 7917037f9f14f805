import Media
import Testing

@testable import HLS

@Suite struct PlaylistTextTests {
    @Test(
        "Dates are written in ISO 8601",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_827_696_789, "2000-02-29T12:34:56.789Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-5, "1970-01-01T00:00:00.000Z"), (Int64.max, "9999-12-31T23:59:59.999Z"),
        ]) func datesAreISO8601(_ time: Int64, _ text: String)
    {
        #expect(PlaylistText.date(time) == text)
    }

    @Test(
        "Seconds have six decimals",
        arguments: [
            (2_000_000_000, "2.000000"), (1_999_999_600, "2.000000"), (33_366_666, "0.033367"), (-1, "0.000000"),
            (Int64.max, "9223372036.854776"),
        ]) func secondsHaveSixDecimals(_ nanoseconds: Int64, _ text: String)
    {
        #expect(PlaylistText.seconds(MediaTime(nanoseconds: nanoseconds)) == text)
    }

    @Test("A quoted string cannot be broken out of")
    func aQuotedStringCannotBeBrokenOutOf() {
        #expect(PlaylistText.quoted("a\"b\r\n#EXT-X-ENDLIST\u{0}\u{85}ü") == "\"a'b#EXT-X-ENDLISTü\"")
    }

    @Test(
        "A URI stays on its line",
        arguments: [
            ("s/a.m3u8?key=1%20&pass=x", "s/a.m3u8?key=1%20&pass=x"), ("#EXT\n#X", "%23EXT%0A#X"), ("a b", "a%20b"),
        ]) func aURIStaysOnItsLine(_ value: String, _ text: String)
    {
        #expect(PlaylistText.uri(value) == text)
    }

    @Test("A token stands in the query as its signer wrote it, but for what means something there")
    func aTokenStandsInTheQuery() {
        #expect(
            SessionPath.uri(session: "ab", token: "hdnea=ip=::1~exp=1~acl=/a/*!/b~data=x&y z~hmac=0f")
                == "sess_ab/chunklist.m3u8?hdnea=ip=::1~exp=1~acl=/a/*!/b~data=x%26y%20z~hmac=0f")
        #expect(SessionPath.uri(session: "ab", token: "hdntl=x") == "sess_ab/chunklist.m3u8")
    }

    @Test(
        "A session stands in the path and the ticket in the query",
        arguments: [
            (nil, nil, "sess_ab12/chunklist.m3u8"), ("k.1", nil, "sess_ab12/chunklist.m3u8?key=k.1"),
            ("my&key", "p s\n", "sess_ab12/chunklist.m3u8?key=my%26key&pass=p%20s%0A"),
        ]) func aSessionStandsInThePathAndTheTicketInTheQuery(_ key: String?, _ pass: String?, _ uri: String)
    {
        #expect(SessionPath.uri(session: "ab12", key: key, pass: pass) == uri)
    }
}
