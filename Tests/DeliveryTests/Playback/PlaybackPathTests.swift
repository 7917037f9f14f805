import HLS
import Live
import Media
import Testing

@testable import Delivery

@Suite struct PlaybackPathTests {
    @Test(
        "paths of playlists and files, with and without a session",
        arguments: [
            ("/a/live/s/playlist.m3u8", "s", nil, .masterPlaylist),
            ("/a/live/s/chunklist.m3u8", "s", nil, .mediaPlaylist(.fragmentedMP4)),
            ("/a/live/s/chunklist_ts.m3u8", "s", nil, .mediaPlaylist(.transportStream)),
            ("/a/live/s/manifest.mpd", "s", nil, .mediaPlaylist(.dash)),
            ("/a/live/s/sess_abc/manifest_mpm4sav_mvtime.mpd", "s", "abc", .mediaPlaylist(.dash)),
            ("/a/live/s/video_12.m4s", "s", nil, .file(.trackSegment(.video, 12))),
            ("/a/live/s/init_audio_3.mp4", "s", nil, .file(.trackInitialization(.audio, 3))),
            ("/a/live/s/chunklist_video.m3u8", "s", nil, .mediaPlaylist(.track(.video))),
            ("/a/live/s/sess_x/chunklist_audio.m3u8", "s", "x", .mediaPlaylist(.track(.audio))),
            ("/a/live/s/chunklist_audio_2.m3u8", "s", nil, .mediaPlaylist(.track(TrackID(.audio, number: 2)))),
            (
                "/a/live/s/part_audio_2_7_123.m4s", "s", nil,
                .file(.trackPart(TrackID(.audio, number: 2), life: 7, number: 123))
            ),
            ("/a/live/s/r_audio_de/chunklist.m3u8", "s", nil, .mediaPlaylist(.fragmentedMP4)),
            ("/a/live/s/time", "s", nil, .time),
            ("/a/live/s/media_12.ts", "s", nil, .file(.segment(12, .transportStream))),
            ("/a/live/s/media_12.m4s", "s", nil, .file(.segment(12, .fragmentedMP4))),
            ("/a/live/s/part_7_123.m4s", "s", nil, .file(.part(life: 7, number: 123))),
            ("/a/live/s/init_0.mp4", "s", nil, .file(.initialization(0))),
            ("/a/live/s/sess_abc/chunklist.m3u8", "s", "abc", .mediaPlaylist(.fragmentedMP4)),
            ("/a/live/s/sess_abc/playlist.m3u8", "s", "abc", .masterPlaylist),
            ("/a/live/s/sess_/media_1.m4s", "s", "", .file(.segment(1, .fragmentedMP4))),
            ("/a/live/mp4:s/playlist.m3u8", "mp4:s", nil, .masterPlaylist),
            ("/a/live/mp4%3As/playlist.m3u8", "mp4:s", nil, .masterPlaylist),
            ("/a/vod/mp4:folder/file.mp4/playlist.m3u8", "mp4:folder/file.mp4", nil, .masterPlaylist),
            (
                "/a/vod/folder/file.mp4/sess_abc/media_1.m4s", "folder/file.mp4", "abc",
                .file(.segment(1, .fragmentedMP4))
            ),
            ("/a/live/s/thumbnail.jpg", "s", nil, .thumbnail),
            ("/a/live/s/sess_abc/thumbnail.jpg", "s", "abc", .thumbnail),
            ("/a/live/s/", "s", nil, .page(isFolder: true)),
            ("/a/live/mp4%3As/", "mp4:s", nil, .page(isFolder: true)),
            ("/a/live/s", "s", nil, .page(isFolder: false)),
            // A stream's own name, since something must be.
            ("/a/live/sess_abc/playlist.m3u8", "sess_abc", nil, .masterPlaylist),
        ] as [(String, String, String?, PlaybackPath.Resource)])
    func paths(path: String, name: String, session: String?, resource: PlaybackPath.Resource) throws {
        let parsed = try #require(PlaybackPath(path[...]))
        #expect(parsed.app == "a")
        #expect(parsed.name == name)
        #expect(parsed.session == session)
        #expect(parsed.resource == resource)
    }

    @Test(
        "anything else is no path of ours",
        arguments: [
            "", "/", "a/live/s/playlist.m3u8", "/a/live/", "/a/live", "/a/live//", "/a/live/s//", "/a/live/s/t/",
            "/a/live/s/index.m3u8",
            "/a/live//playlist.m3u8", "//live/s/playlist.m3u8", "/a/live/../playlist.m3u8", "/a/live/./playlist.m3u8",
            "/a/live/%2e%2e/playlist.m3u8", "/a/live/s%2Ft/playlist.m3u8", "/a/live/s%00/playlist.m3u8",
            "/a/live/s%/playlist.m3u8", "/a/live/s%4/playlist.m3u8", "/a/live/%FF/playlist.m3u8",
            "/a/live/s/media_.ts", "/a/live/s/media_x.ts", "/a/live/s/media_-1.ts", "/a/live/s/media_1.mp4",
            "/a/live/s/init_1.ts", "/a/live/s/media_99999999999999999999.m4s", "/a/live/s/playlist.m3u8/",
            "/a/live/" + String(repeating: "x/", count: 30) + "playlist.m3u8",
            "/a/live/" + String(repeating: "x", count: 3_000) + "/playlist.m3u8",
        ])
    func otherPaths(path: String) {
        #expect(PlaybackPath(path[...]) == nil)
    }

    @Test(
        "players' spellings lead to the stream's own address",
        arguments: [
            ("/u-origin/live/s/playlist.m3u8", ["u-origin/live/s"]),
            ("/u-origin/play/s/playlist.m3u8", ["u-origin/live/s"]),
            ("/u-live/play/s/playlist.m3u8", ["u-origin/live/s"]),
            ("/u-channel/play/s/playlist.m3u8", ["u-chorigin/live/s"]),
            ("/u-origin/live/mp4:s/playlist.m3u8", ["u-origin/live/s"]),
            ("/u-origin/live/flv:s/playlist.m3u8", ["u-origin/live/s"]),
            ("/u-origin/live/s.smil/playlist.m3u8", ["u-origin/live/s.smil", "u-origin/live/s"]),
            ("/u-origin/live/smil:s.smil/playlist.m3u8", ["u-origin/live/s.smil", "u-origin/live/s"]),
            ("/u-vod/play/mp4:folder/file.mp4/playlist.m3u8", []),
            ("/u-origin/live/s%20t/playlist.m3u8", []),
        ] as [(String, [String])])
    func addresses(path: String, expected: [String]) throws {
        #expect(try #require(PlaybackPath(path[...])).addresses.map(\.description) == expected)
    }

    @Test("A path that follows another one is read as if it came alone")
    func following() {
        let folders = [
            "/a/live/s/", "/a/live/s/sess_x/", "/a/live/s/sess_x/r_360p/", "/a/live/%73/", "/a/live/", "/", "/a//s/",
        ]
        let files = [
            "playlist.m3u8", "chunklist.m3u8", "media_1.m4s", "%6dedia_1.m4s", "part_1_2.m4s", "x", "", "..",
            "media_1.m4s/", "a%2Fb",
        ]
        let paths = folders.flatMap { folder in files.map { folder + $0 } }
        for path in paths {
            let alone = PlaybackPath(path[...])
            for previous in paths.compactMap({ PlaybackPath($0[...]) }) {
                #expect(PlaybackPath(path[...], after: previous) == alone, "\(path)")
            }
        }
    }
}
