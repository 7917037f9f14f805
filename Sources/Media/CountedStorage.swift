@_spi(CustomByteBufferAllocator) import NIOCore

/// Keeps byte buffers in storage of just their own size, and counts that storage until the last holder lets go of it.
///
/// A `ByteBuffer` that grew has a power of two for its storage, up to twice what is in it. What is kept for long is
/// therefore copied once. Whoever holds a copy or a slice of the buffer holds its storage: playlists, responses, and the
/// queue of a socket whose peer does not read. So bytes are counted off when the storage is freed, and not before.
public final class CountedStorage: Sendable {
    private let onChange: @Sendable (Int) -> Void

    /// - Parameter onChange: called with the bytes that were taken, and with their negative when they are freed: on any
    ///   thread, so it must neither block nor call back.
    public init(onChange: @escaping @Sendable (Int) -> Void = { _ in }) {
        self.onChange = onChange
    }

    /// The readable bytes in storage of their own.
    public func keep(_ bytes: ByteBuffer) -> ByteBuffer {
        keep(joining: CollectionOfOne(bytes))
    }

    /// The readable bytes of all, one after the other, in storage of their own.
    public func keep(joining parts: some Sequence<ByteBuffer>) -> ByteBuffer {
        let count = parts.reduce(0) { $0 + $1.readableBytes }
        guard count > 0 else { return ByteBuffer() }
        let storage = Block.allocate(count, counter: self)
        var end = 0
        for part in parts {
            part.withUnsafeReadableBytes {
                UnsafeMutableRawBufferPointer(rebasing: storage[end...]).copyMemory(from: $0)
            }
            end += part.readableBytes
        }
        onChange(count)
        return ByteBuffer(takingOwnershipOf: storage, allocator: Block.allocator)
    }

    /// An empty buffer with storage of just this size, which nobody counts. For what is written once, by somebody who knows
    /// how long it becomes: more would make it grow to a power of two as any buffer does.
    public static func buffer(capacity: Int) -> ByteBuffer {
        guard capacity > 0 else { return ByteBuffer() }
        var buffer = ByteBuffer(takingOwnershipOf: Block.allocate(capacity, counter: nil), allocator: Block.allocator)
        buffer.clear()
        return buffer
    }

    /// A block of memory with a header before it that says who counts it and for how much.
    private enum Block {
        private struct Header {
            /// nil for what NIO allocates itself, when somebody appends to a buffer that was kept.
            var counter: Unmanaged<CountedStorage>?
            var size: Int
        }

        /// The header's size, and the alignment that `malloc` gives.
        private static let offset = 16

        static let allocator = ByteBufferAllocator(
            allocate: { allocate($0, counter: nil).baseAddress },
            reallocate: { old, oldSize, newSize in
                let new = allocate(newSize, counter: nil)
                if let old {
                    new.copyMemory(from: UnsafeRawBufferPointer(start: old, count: min(oldSize, newSize)))
                    free(old)
                }
                return new.baseAddress
            },
            deallocate: { free($0) },
            copy: { $0.copyMemory(from: $1, byteCount: $2) })

        static func allocate(_ size: Int, counter: CountedStorage?) -> UnsafeMutableRawBufferPointer {
            let block = UnsafeMutableRawPointer.allocate(byteCount: offset + size, alignment: offset)
            block.initializeMemory(
                as: Header.self, to: Header(counter: counter.map(Unmanaged.passRetained), size: size))
            return UnsafeMutableRawBufferPointer(start: block + offset, count: size)
        }

        private static func free(_ bytes: UnsafeMutableRawPointer) {
            let block = bytes - offset
            let header = block.load(as: Header.self)
            block.deallocate()
            guard let counter = header.counter?.takeRetainedValue() else { return }
            counter.onChange(-header.size)
        }
    }
}
