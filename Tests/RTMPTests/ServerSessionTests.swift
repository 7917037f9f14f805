import NIOCore
import Testing

@testable import RTMP

struct ServerSessionTests {
    // MARK: Connect

    @Test("Connect is asked for and answered")
    func connectIsAskedForAndAnswered() throws {
        var client = try RawClient()
        try client.send(
            RTMPCommand(
                "connect", transactionID: 1,
                object: .object([
                    "app": "cust-live/play?user=u", "tcUrl": "rtmp://h/cust-live/play?pass=p",
                    "flashVer": "FMLE/3.0 (compatible; FMSc/1.0)", "objectEncoding": 0,
                ])))
        guard case .connectRequested(let request) = client.events.first, client.events.count == 1 else {
            Issue.record("no connect: \(client.events)")
            return
        }
        #expect(request.path.app == "cust-live")
        #expect(request.path.instance == "play")
        #expect(request.parameter("user") == "u")
        #expect(request.parameter("pass") == "p")
        #expect(request.isPublisher)
        #expect(!request.isEnhanced)
        #expect(client.session.awaitsAnswer)
        #expect(client.session.acceptConnect() == true)
        let replies = try client.replies()
        #expect(
            replies.map(\.type) == [.windowAcknowledgementSize, .setPeerBandwidth, .commandAMF0])
        let result = try RTMPCommand(#require(replies.last))
        #expect(result.name == "_result")
        #expect(result.transactionID == 1)
        #expect(result.argument(0)["code"] == "NetConnection.Connect.Success")
        #expect(result.argument(0)["level"] == "status")
        #expect(result.argument(0)["objectEncoding"] == 0)
        #expect(result.argument(0)["fourCcList"] == nil)
        #expect(result.object["fmsVer"]?.string?.hasPrefix("FMS/") == true)
    }

    @Test("An enhanced client is told what passes through")
    func anEnhancedClientIsToldWhatPassesThrough() throws {
        var client = try RawClient()
        try client.send(
            RTMPCommand(
                "connect", transactionID: 1,
                object: .object(["app": "live", "fourCcList": .strictArray(["hvc1", "av01"]), "capsEx": 1])))
        guard case .connectRequested(let request) = client.events.first else {
            Issue.record("no connect")
            return
        }
        #expect(request.fourCCs == ["hvc1", "av01"])
        #expect(request.capabilities == .reconnect)
        client.session.acceptConnect()
        let result = try RTMPCommand(#require(try client.replies().last))
        let codecs = result.argument(0)["fourCcList"]?.array?.compactMap(\.string) ?? []
        #expect(
            codecs == ["avc1", "hvc1", "av01", "vp09", "vp08", "mp4a", ".mp3", "Opus", "ac-3", "ec-3", "fLaC"])
        #expect(result.argument(0)["videoFourCcInfoMap"]?["hvc1"] == 4)
        #expect(result.argument(0)["capsEx"] == 13)
        #expect(client.session.requestReconnect(tcURL: "rtmp://b/live", description: "Restart.") == true)
        #expect(try client.summaries() == ["onStatus 0 NetConnection.Connect.ReconnectRequest"])
    }

    @Test("A plain client is not asked to reconnect")
    func aPlainClientIsNotAskedToReconnect() throws {
        var client = try RawClient.connected()
        #expect(client.session.requestReconnect(description: "Restart.") == false)
        #expect(try client.summaries() == [])
    }

    @Test("A refused connect says why, and nothing else is heard")
    func aRefusedConnectSaysWhyAndNothingElseIsHeard() throws {
        var client = try RawClient()
        try client.send(RTMPCommand("connect", transactionID: 1, object: .object(["app": "x"])))
        client.session.rejectConnect(description: "[ AccessManager.Reject ]")
        let reply = try RTMPCommand(#require(try client.replies().first))
        #expect(reply.name == "_error")
        #expect(reply.argument(0)["code"] == "NetConnection.Connect.Rejected")
        #expect(reply.argument(0)["description"] == "[ AccessManager.Reject ]")
        try client.send(RTMPCommand("createStream", transactionID: 2))
        #expect(try client.summaries() == [])
        #expect(client.events.count == 1)
        #expect(client.session.acceptConnect() == false)
    }

    @Test("What follows a request waits for its answer")
    func whatFollowsAQuestionWaitsForItsAnswer() throws {
        var client = try RawClient()
        try client.send(RTMPCommand("connect", transactionID: 1, object: .object(["app": "x"])))
        try client.send(RTMPCommand("createStream", transactionID: 2))
        try client.send(RTMPCommand("publish", transactionID: 3, arguments: ["cam", "live"]), streamID: 1)
        try client.send(RTMPMessage(type: .audio, streamID: 1, body: hex("AF00")))
        #expect(client.events.count == 1)
        client.session.acceptConnect()
        try client.drain()
        #expect(client.events.count == 2)
        #expect(client.session.acceptPublish(streamID: 1) == true)
        try client.drain()
        #expect(
            client.events.last == .media(MediaMessage(streamID: 1, timestamp: 0, isVideo: false, body: hex("AF00"))))
    }

    static func request(_ object: AMFObject) throws -> ConnectRequest? {
        var client = try RawClient()
        try client.send(RTMPCommand("connect", transactionID: 1, object: .object(object)))
        guard case .connectRequested(let request) = client.events.first else { return nil }
        return request
    }

    @Test(
        "The application comes from tcUrl when a client leaves it out",
        arguments: [
            ("rtmp://h:1935/cust-live/play?user=u", "cust-live", "play", "u"), ("rtmps://h/live", "live", nil, nil),
            ("rtmp://[::1]:1935//live/", "live", nil, nil), ("rtmp://h", "", nil, nil), ("nonsense", "", nil, nil),
            ("rtmp://h/?user=u", "", nil, "u"),
        ] as [(String, String, String?, String?)])
    func applicationFromTCURL(url: String, app: String, instance: String?, user: String?) throws {
        for object: AMFObject in [["tcUrl": .string(url)], ["app": "", "tcUrl": .string(url)]] {
            let request = try #require(try ServerSessionTests.request(object))
            #expect(request.path.app == app)
            #expect(request.path.instance == instance)
            #expect(request.parameter("user") == user)
        }
        let named = try #require(try ServerSessionTests.request(["app": "/other", "tcUrl": .string(url)]))
        #expect(named.path.app == "other")
    }

    @Test("Of connect only named fields are kept, and texts at no more than 256 bytes")
    func connectIsCut() throws {
        let long = String(repeating: "é", count: 10_000)
        let request = try #require(
            try ServerSessionTests.request([
                "app": "live", "flashVer": .string("FMLE/" + long), "swfUrl": .string(long), "unknown": "x",
                "fourCcList": .strictArray(Array(repeating: "hvc1", count: 300)),
            ]))
        #expect(request.flashVersion?.utf8.count == 255)
        #expect(request.swfURL?.utf8.count == 256)
        #expect(request.pageURL == nil)
        #expect(request.fourCCs.count == 64)
        #expect(request.isPublisher)
        for field in ["app", "tcUrl"] {
            let name = AMFValue.string(String(repeating: "a", count: 4_097))
            #expect(code { _ = try ServerSessionTests.request([field: name]) } == .malformedMessage)
        }
    }

    // MARK: Publish

    static func publishing() throws -> RawClient {
        var client = try RawClient.connected()
        try client.send(RTMPCommand("publish", transactionID: 5, arguments: ["cam?key=k", "live"]), streamID: 1)
        client.session.acceptPublish(streamID: 1)
        client.events = []
        _ = try client.replies()
        return client
    }

    @Test("The steps of Flash Media Live Encoder are answered")
    func flashMediaLiveEncodersSteps() throws {
        var client = try RawClient.connected(streams: 0)
        try client.send(RTMPCommand("releaseStream", transactionID: 2, arguments: ["cam"]))
        try client.send(RTMPCommand("FCPublish", transactionID: 3, arguments: ["cam"]))
        try client.send(RTMPCommand("createStream", transactionID: 4))
        try client.send(RTMPCommand("_checkbw", transactionID: 5))
        #expect(
            try client.summaries() == [
                "_result 2", "_result 3", "onFCPublish 0 NetStream.Publish.Start", "_result 4", "_result 5",
            ])
        try client.send(RTMPCommand("publish", transactionID: 6, arguments: ["cam?key=k", "record"]), streamID: 1)
        #expect(
            client.events == [
                .publishRequested(PublishRequest(streamID: 1, name: StreamName("cam?key=k"), kind: .record))
            ])
        #expect(client.session.acceptPublish(streamID: 1) == true)
        #expect(
            try client.summaries() == [
                "control streamBegin(streamID: 1)", "onStatus 0 NetStream.Publish.Start",
            ])
        client.events = []
        try client.send(RTMPCommand("FCUnpublish", transactionID: 7, arguments: ["cam"]))
        try client.send(RTMPCommand("deleteStream", transactionID: 8, arguments: [1]))
        #expect(client.events == [.unpublished(streamID: 1)])
        #expect(
            try client.summaries() == [
                "_result 7", "onFCUnpublish 0 NetStream.Unpublish.Success", "onStatus 0 NetStream.Unpublish.Success",
            ])
    }

    @Test("Every orderly end unpublishes once", arguments: ["deleteStream", "closeStream", "publish"])
    func everyOrderlyEndUnpublishesOnce(how: String) throws {
        var client = try ServerSessionTests.publishing()
        let argument: AMFValue = how == "publish" ? false : 1
        try client.send(RTMPCommand(how, transactionID: 0, arguments: [argument]), streamID: 1)
        try client.send(RTMPCommand("closeStream", transactionID: 0), streamID: 1)
        #expect(client.events == [.unpublished(streamID: 1)])
        // Frames still on their way are passed over.
        try client.send(RTMPMessage(type: .video, streamID: 1, body: hex("17")))
        #expect(client.events.count == 1)
    }

    @Test("Metadata is understood with and without @setDataFrame")
    func metadataWithAndWithoutSetDataFrame() throws {
        var client = try ServerSessionTests.publishing()
        let data = RTMPDataMessage(streamID: 1, timestamp: 4, name: "onMetaData", values: [.ecmaArray(["width": 160])])
        try client.send(data.setDataFrame)
        try client.send(data.message)
        let cue = RTMPDataMessage(streamID: 1, name: "onCuePoint", values: [.object(["name": "ad"])])
        try client.send(cue.message)
        #expect(client.events == [.metadata(data), .metadata(data), .data(cue)])
    }

    @Test("Metadata that cannot be read is passed over, but values nested too deeply are not")
    func metadataThatDoesNotParseIsPassedOverButABombIsNot() throws {
        var client = try ServerSessionTests.publishing()
        try client.send(RTMPMessage(type: .dataAMF0, streamID: 1, body: hex("02 000A 6F6E")))
        try client.send(RTMPMessage(type: .dataAMF0, streamID: 1, body: hex("FF")))
        #expect(client.events.isEmpty)
        var bomb = hex("02 0001 61")
        for _ in 0..<100 { bomb.writeImmutableBuffer(hex("0A00000001")) }
        #expect(
            code { try client.send(RTMPMessage(type: .dataAMF0, streamID: 1, body: bomb)) } == .amfLimitExceeded)
    }

    @Test("An aggregate gives its parts")
    func anAggregateGivesItsParts() throws {
        var client = try ServerSessionTests.publishing()
        let body = hex("08 000002 000000 00 000000 AF01 0000000D 09 000001 000005 00 000000 17 0000000C")
        try client.send(RTMPMessage(type: .aggregate, streamID: 1, timestamp: 100, body: body))
        #expect(
            client.events == [
                .media(MediaMessage(streamID: 1, timestamp: 100, isVideo: false, body: hex("AF01"))),
                .media(MediaMessage(streamID: 1, timestamp: 105, isVideo: true, body: hex("17"))),
            ])
    }

    @Test("A refused publisher may try again, and its frames go nowhere")
    func aRefusedPublisherMayTryAgainAndItsFramesGoNowhere() throws {
        var client = try RawClient.connected()
        try client.send(RTMPCommand("publish", transactionID: 5, arguments: ["cam", "live"]), streamID: 1)
        #expect(client.session.refusePublish(streamID: 1, description: "cam is taken.") == true)
        #expect(try client.summaries() == ["onStatus 0 NetStream.Publish.BadName"])
        client.events = []
        try client.send(RTMPMessage(type: .video, streamID: 1, body: hex("17")))
        #expect(client.events.isEmpty)
        try client.send(RTMPCommand("publish", transactionID: 6, arguments: ["cam2", "live"]), streamID: 1)
        #expect(client.events.count == 1)
    }

    @Test("The server can end a publication")
    func aPublisherCanBeEndedFromHere() throws {
        var client = try ServerSessionTests.publishing()
        #expect(
            client.session.endPublish(
                streamID: 1, code: "NetStream.Publish.BadName", description: "Taken over.")
                == true)
        #expect(try client.summaries() == ["onStatus 0 NetStream.Publish.BadName"])
        try client.send(RTMPMessage(type: .video, streamID: 1, body: hex("17")))
        #expect(client.events.isEmpty)
    }

    // MARK: Play

    @Test("A play is asked for and answered")
    func playAndItsAnswer() throws {
        var client = try RawClient.connected()
        try client.send(
            RTMPCommand("play", transactionID: 4, arguments: ["mp4:f/g?key=k&pass=p", -2000, -1, true]), streamID: 1)
        #expect(
            client.events == [
                .playRequested(
                    PlayRequest(
                        streamID: 1, name: StreamName("mp4:f/g?key=k&pass=p"), start: -2000, duration: -1, reset: true))
            ])
        #expect(client.session.acceptPlay(streamID: 1) == true)
        #expect(
            try client.summaries() == [
                "control streamBegin(streamID: 1)", "onStatus 0 NetStream.Play.Reset",
                "onStatus 0 NetStream.Play.Start", "data |RtmpSampleAccess", "data onStatus",
            ])
    }

    static func playing() throws -> RawClient {
        var client = try RawClient.connected()
        try client.send(RTMPCommand("play", transactionID: 4, arguments: ["cam", -2, -1, false]), streamID: 1)
        client.session.acceptPlay(streamID: 1, isRecorded: true)
        #expect(
            try client.summaries().prefix(3) == [
                "control streamIsRecorded(streamID: 1)", "control streamBegin(streamID: 1)",
                "onStatus 0 NetStream.Play.Start",
            ])
        client.events = []
        return client
    }

    @Test("A player that is refused is told why")
    func aPlayerIsRefused() throws {
        var client = try RawClient.connected()
        try client.send(RTMPCommand("play", transactionID: 4, arguments: ["cam"]), streamID: 1)
        #expect(client.session.refusePlay(streamID: 1, description: "No such stream.") == true)
        #expect(try client.summaries() == ["onStatus 0 NetStream.Play.StreamNotFound"])
        #expect(client.session.acceptPlay(streamID: 1) == false)
    }

    @Test("Pause, seek and the choice of tracks reach the server")
    func playersButtons() throws {
        var client = try ServerSessionTests.playing()
        try client.send(RTMPCommand("pause", transactionID: 0, arguments: [true, 1500]), streamID: 1)
        try client.send(RTMPCommand("pause", transactionID: 0, arguments: [false, 1500]), streamID: 1)
        try client.send(RTMPCommand("seek", transactionID: 0, arguments: [3000]), streamID: 1)
        try client.send(RTMPCommand("receiveAudio", transactionID: 0, arguments: [false]), streamID: 1)
        try client.send(RTMPCommand("receiveVideo", transactionID: 0, arguments: [true]), streamID: 1)
        try client.send(UserControlEvent.setBufferLength(streamID: 1, milliseconds: 3000).message)
        #expect(
            client.events == [
                .paused(streamID: 1, isPaused: true, milliseconds: 1500),
                .paused(streamID: 1, isPaused: false, milliseconds: 1500), .seek(streamID: 1, milliseconds: 3000),
                .receiveAudio(streamID: 1, false), .receiveVideo(streamID: 1, true),
                .bufferLength(streamID: 1, milliseconds: 3000),
            ])
        client.session.acceptSeek(streamID: 1, milliseconds: 3000)
        #expect(
            try client.summaries() == [
                "onStatus 0 NetStream.Pause.Notify", "onStatus 0 NetStream.Unpause.Notify",
                "control streamBegin(streamID: 1)", "onStatus 0 NetStream.Seek.Notify",
                "onStatus 0 NetStream.Play.Start",
            ])
    }

    @Test(
        "Notices to players are the ones they know",
        arguments: [
            (ServerSession.PlayNotice.unpublished, ["onStatus 0 NetStream.Play.UnpublishNotify"]),
            (.published, ["control streamBegin(streamID: 1)", "onStatus 0 NetStream.Play.PublishNotify"]),
            (.ended, ["control streamEOF(streamID: 1)", "onStatus 0 NetStream.Play.Stop", "data onPlayStatus"]),
            (.dry, ["control streamDry(streamID: 1)"]), (.failed("Revoked."), ["onStatus 0 NetStream.Play.Failed"]),
        ])
    func notices(notice: ServerSession.PlayNotice, expected: [String]) throws {
        var client = try ServerSessionTests.playing()
        #expect(client.session.notify(notice, streamID: 1) == true)
        #expect(try client.summaries() == expected)
    }

    @Test("A player that plays another stream has stopped the first one before it asks for the second")
    func playWhilePlaying() throws {
        var client = try ServerSessionTests.playing()
        try client.send(RTMPCommand("play", transactionID: 6, arguments: ["other"]), streamID: 1)
        #expect(client.session.awaitsAnswer)
        client.session.acceptPlay(streamID: 1)
        try client.send(RTMPCommand("deleteStream", transactionID: 0, arguments: [1]))
        #expect(
            client.events == [
                .playStopped(streamID: 1),
                .playRequested(
                    PlayRequest(streamID: 1, name: StreamName("other"), start: -2, duration: -1, reset: true)),
                .playStopped(streamID: 1),
            ])
    }

    @Test("What comes behind a switch of streams waits for its answer")
    func playWhilePlayingWaits() throws {
        var client = try ServerSessionTests.playing()
        var bytes = ByteBuffer()
        for name in ["second", "third"] {
            let play = RTMPCommand("play", transactionID: 0, arguments: [.string(name), -2, -1, false])
            ChunkEncoder().encode(play.message(streamID: 1), into: &bytes)
        }
        try client.receive(bytes)
        #expect(client.events.count == 2)
        client.session.refusePlay(streamID: 1, description: "No such stream.")
        try client.drain()
        // The second play was refused, so nothing stops when the third is asked for.
        guard client.events.count == 3, case .playRequested(let request) = client.events.last else {
            Issue.record("\(client.events)")
            return
        }
        #expect(request.name.name == "third")
    }

    @Test("getStreamLength is answered, and unknown commands get an error")
    func getStreamLengthAndUnknownCommands() throws {
        var client = try RawClient.connected()
        try client.send(RTMPCommand("getStreamLength", transactionID: 9, arguments: ["cam"]))
        try client.send(RTMPCommand("FCSubscribe", transactionID: 10, arguments: ["cam"]))
        try client.send(RTMPCommand("somethingElse", transactionID: 11))
        try client.send(RTMPCommand("somethingElse", transactionID: 0))
        #expect(
            try client.summaries() == [
                "_result 9", "_result 10", "onFCSubscribe 0 NetStream.Play.Start",
                "_error 11 NetConnection.Call.Failed",
            ])
    }

    // MARK: Violations

    @Test("Commands that may not come now end the connection")
    func whatMayNotComeEndsTheConnection() throws {
        let publish = RTMPCommand("publish", transactionID: 5, arguments: ["cam", "live"])
        let play = RTMPCommand("play", transactionID: 5, arguments: ["cam"])
        var cases: [(String, RTMPError.Code?)] = []
        func attempt(_ name: String, _ client: RawClient, _ act: (inout RawClient) throws -> Void) throws {
            var client = client
            cases.append((name, code { try act(&client) }))
        }
        try attempt("command before connect", try RawClient()) { try $0.send(publish) }
        try attempt("media before connect", try RawClient()) {
            try $0.send(RTMPMessage(type: .audio, streamID: 1, body: hex("AF")))
        }
        try attempt("second connect", try .connected()) {
            try $0.send(RTMPCommand("connect", transactionID: 1, object: .object([:])))
        }
        try attempt("publish without stream", try .connected(streams: 0)) { try $0.send(publish, streamID: 1) }
        try attempt("publish on a published stream", ServerSessionTests.publishing()) {
            try $0.send(publish, streamID: 1)
        }
        try attempt("play on a published stream", ServerSessionTests.publishing()) { try $0.send(play, streamID: 1) }
        try attempt("publish on a played stream", ServerSessionTests.playing()) { try $0.send(publish, streamID: 1) }
        try attempt("too many streams", try .connected(streams: 8)) {
            try $0.send(RTMPCommand("createStream", transactionID: 9))
        }
        for (name, code) in cases {
            #expect(code == .protocolViolation, "\(name)")
        }
        #expect(cases.count == 8)
    }

    @Test("A connect without an object or a publish without a name is malformed")
    func aConnectWithoutObjectOrAPublishWithoutNameIsMalformed() throws {
        var client = try RawClient()
        #expect(code { try client.send(RTMPCommand("connect", transactionID: 1)) } == .malformedMessage)
        var other = try RawClient.connected()
        #expect(code { try other.send(RTMPCommand("publish", transactionID: 1), streamID: 1) } == .malformedMessage)
        // An error is final.
        #expect(code { _ = try other.session.nextEvent() } == .malformedMessage)
        #expect(code { try other.session.receive(ByteBuffer(), now: start) } == .malformedMessage)
    }

    @Test("Media without ever publishing is cut off")
    func mediaWithoutEverPublishingIsCutOff() throws {
        var client = try RawClient.connected()
        let body = ByteBuffer(repeating: 0, count: 1_048_576)
        for _ in 0..<4 { try client.send(RTMPMessage(type: .video, streamID: 1, body: body)) }
        #expect(
            code { try client.send(RTMPMessage(type: .video, streamID: 1, body: hex("00"))) } == .protocolViolation)
    }

    @Test("A peer that asks but does not read is cut off")
    func aPeerThatAsksButDoesNotReadIsCutOff() throws {
        var client = try RawClient.connected()
        #expect(
            code {
                for _ in 0..<20_000 { try client.send(RTMPCommand("_checkbw", transactionID: 5)) }
            } == .tooMuchBuffered)
    }
}
