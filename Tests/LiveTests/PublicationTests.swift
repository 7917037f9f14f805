import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import Live

/// A publisher whose connection lives on another event loop than its stream's hub.
@Suite("A publisher on another event loop") struct PublicationTests {
    private let bench = HubBench()
    private let publisherLoop = EmbeddedEventLoop()
    private let publication: Publication
    private let ready = Counter()

    init() throws {
        try bench.publish()
        publication = Publication(hub: bench.hub, publisher: bench.publisher, eventLoop: publisherLoop)
        publication.onReady = { [ready] in ready.add() }
    }

    private func send(_ milliseconds: Int64, size: Int) {
        let frame = bench.frame(milliseconds, isKeyframe: true, size: size)
        publication.send(frame)
    }

    @Test("What one read brought is handed over together, when the read is complete")
    func handsOverWholeReads() throws {
        bench.headers()
        let viewer = bench.viewer()
        send(40, size: 10)
        send(80, size: 10)
        bench.loop.run()
        #expect(try viewer.received().isEmpty)
        publication.readComplete()
        #expect(try viewer.received().isEmpty)
        bench.loop.run()
        #expect(try viewer.received().filter { !$0.isHeader }.map(\.timestamp) == [40, 80])
    }

    @Test("While its stream's event loop lags by a mebibyte the publisher is read no further, and afterwards again")
    func readsNoFasterThanTheHub() throws {
        send(0, size: 1 << 19)
        publication.readComplete()
        #expect(publication.mayRead)
        send(40, size: 1 << 19)
        publication.readComplete()
        #expect(!publication.mayRead)
        bench.loop.run()
        #expect(publication.mayRead)
        #expect(ready.value == 0)
        publisherLoop.run()
        #expect(ready.value == 1)
    }

    @Test("Messages without a body fill what may be handed over as well")
    func emptyMessagesCount() {
        for _ in 0..<4_096 { publication.send(StreamSample(.data, timestamp: 0, body: ByteBuffer())) }
        publication.readComplete()
        #expect(!publication.mayRead)
    }
}
