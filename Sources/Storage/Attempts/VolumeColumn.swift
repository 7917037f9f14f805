/// A part of a mapped file, read as numbers of one size.
struct VolumeColumn<Number: FixedWidthInteger> {
    private let base: UnsafePointer<Number>?
    let count: Int

    /// Empty when the part does not lie inside of the memory.
    init(_ memory: UnsafeRawBufferPointer, offset: Int, length: Int) {
        guard offset >= 0, length >= 0, offset <= memory.count, length <= memory.count - offset, offset % 8 == 0 else {
            (base, count) = (nil, 0)
            return
        }
        count = length / MemoryLayout<Number>.size
        base =
            UnsafeRawBufferPointer(rebasing: memory[offset..<(offset + length)]).bindMemory(to: Number.self).baseAddress
    }

    var isEmpty: Bool { count == 0 }

    func bytes(_ places: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            UnsafeBufferPointer(rebasing: UnsafeBufferPointer(start: base, count: count)[places.clamped(to: 0..<count)])
        )
    }

    subscript(index: Int) -> Number {
        guard let base, index >= 0, index < count else { return 0 }
        return base[index]
    }
}

extension VolumeColumn<UInt64> {
    /// The place of a number in a column that is in order.
    func index(of number: UInt64) -> Int? {
        let place = AttemptVolume.firstPlace(in: 0..<count) { self[$0] >= number }
        return place < count && self[place] == number ? place : nil
    }

    /// As `index(of:)`, for numbers that lie evenly, as hashes do: they are near where they are expected, so that two pages are
    /// read where halving reads one for each half.
    func index(ofHash number: UInt64) -> Int? {
        guard count > 0 else { return nil }
        func expected(_ number: UInt64) -> Int { Int(number.multipliedFullWidth(by: UInt64(count)).high) }
        // The first place with such a number, or a larger one, is in it or right behind it.
        var places = 0..<count
        func look(at place: Int) {
            guard places.contains(place) else { return }
            places = self[place] < number ? (place + 1)..<places.upperBound : places.lowerBound..<place
        }
        let first = expected(number)
        look(at: first)
        let seen = self[first]
        let distance = expected(seen < number ? number - seen : seen - number)
        let nearest = seen < number ? first + distance : first - distance
        // Four times as far as they scatter.
        let reach = 4 * Int(Double(distance).squareRoot()) + 4
        look(at: nearest - reach)
        look(at: nearest + reach)
        let place = AttemptVolume.firstPlace(in: places) { self[$0] >= number }
        return place < count && self[place] == number ? place : nil
    }
}
