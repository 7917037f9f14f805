import Basics
import CMappedFile
import Foundation

/// A file that is mapped to be read.
///
/// A page that cannot be read, because the disk fails or somebody has cut the file short, reads as zeros and ends nothing but the
/// work with this file: whoever has read calls `check` before anything is made of it.
///
/// `@unchecked Sendable`: no property changes after `init`, the mapping is only read and ends with the object, and what the signal
/// handler notes of it is atomic.
final class MappedFile: @unchecked Sendable {
    let path: String
    let bytes: UnsafeRawBufferPointer
    private let number: Int32

    /// nil for an empty file. Throws `StoreError.unavailable` when the file cannot be opened.
    init?(path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw StoreError.unavailable("\(path): \(SystemError.text(errno))") }
        defer { close(descriptor) }
        let size = lseek(descriptor, 0, SEEK_END)
        guard size > 0, let length = Int(exactly: size),
            let base = mmap(nil, length, PROT_READ, MAP_SHARED, descriptor, 0), base != MAP_FAILED
        else { return nil }
        // Halving jumps: what lies beside a page that was asked for is of no use.
        madvise(base, length, Int32(MADV_RANDOM))
        self.path = path
        bytes = UnsafeRawBufferPointer(start: base, count: length)
        number = mapped_file_guard(base, length)
    }

    deinit {
        mapped_file_release(number)
        munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    }

    /// Asks the system for all pages of a part that will be read soon, at once instead of one after the other. Does not wait.
    func willNeed(_ part: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, let first = part.baseAddress, !part.isEmpty else { return }
        let page = Self.pageSize
        let start = (first - base) / page * page
        madvise(
            UnsafeMutableRawPointer(mutating: base + start), first - base + part.count - start, Int32(MADV_WILLNEED))
    }

    static let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))

    /// Throws when something that was read may be zeros in place of what the file said.
    func check() throws {
        if mapped_file_has_failed(number) { throw StoreError.unavailable("\(path): cannot be read") }
    }
}
