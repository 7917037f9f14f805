import Media
import NIOCore
import Synchronization
import Testing

@Suite struct CountedStorageTests {
    /// What a storage has counted.
    private final class Count: Sendable {
        private let bytes = Mutex(0)

        var value: Int { bytes.withLock { $0 } }

        func change(by change: Int) {
            bytes.withLock { $0 += change }
        }
    }

    private let count = Count()

    private func storage() -> CountedStorage {
        CountedStorage { [count] in count.change(by: $0) }
    }

    @Test("What is kept has storage of its own size and the same bytes", arguments: [1, 15, 16, 135_000, 2_250_000])
    func ownSize(_ size: Int) {
        // Bytes of which no two beside each other are the same, as many pages of them as are needed.
        let page = (0..<4_096).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var written = ByteBuffer()
        while written.readableBytes < size { written.writeBytes(page.prefix(size - written.readableBytes)) }
        let kept = storage().keep(written)
        #expect(kept == written)
        #expect(kept.storageCapacity == size)
        #expect(kept.capacity == size)
    }

    @Test("Only the readable part is kept, and nothing of nothing")
    func readablePart() {
        var bytes = ByteBuffer(string: "left out|kept")
        bytes.moveReaderIndex(forwardBy: 9)
        #expect(storage().keep(bytes) == ByteBuffer(string: "kept"))
        #expect(count.value == 0)
        #expect(storage().keep(ByteBuffer()).storageCapacity == 0)
        #expect(count.value == 0)
    }

    @Test("Bytes are counted until the last holder of a copy or a slice has let go")
    func counting() {
        var first: ByteBuffer? = storage().keep(ByteBuffer(repeating: 1, count: 1_000))
        var second: ByteBuffer? = storage().keep(ByteBuffer(repeating: 2, count: 234))
        #expect(count.value == 1_234)
        var slice = first?.getSlice(at: 10, length: 1)
        first = nil
        #expect(count.value == 1_234)
        #expect(slice == ByteBuffer(repeating: 1, count: 1))
        slice = nil
        #expect(count.value == 234)
        second = nil
        #expect(second == nil)
        #expect(count.value == 0)
    }

    @Test("Whoever writes to what is kept writes to a copy, or to storage of its own")
    func appending() {
        let kept = storage().keep(ByteBuffer(string: "segment"))
        var other = kept
        other.writeString(" and more")
        #expect(kept == ByteBuffer(string: "segment"))
        #expect(other == ByteBuffer(string: "segment and more"))
        var alone = storage().keep(ByteBuffer(string: "x"))
        for _ in 0..<5_000 { alone.writeString("0123456789") }
        #expect(alone.readableBytes == 50_001)
        #expect(alone.getString(at: 0, length: 11) == "x0123456789")
    }
}
