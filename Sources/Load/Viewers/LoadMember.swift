import NIOCore

/// One viewer or publisher of a load.
protocol LoadMember: AnyObject {
    var state: MemberState { get }
    /// Plays at low latency.
    var isLowLatency: Bool { get }
    var stalls: Int { get }
    var stalledTime: TimeAmount { get }
    var isStalled: Bool { get }
    /// Called some times a second.
    func sweep(_ now: NIODeadline)
    /// Leaves, without a word of its own.
    func leave()
}

enum MemberState {
    case starting, running
    /// Had everything up to the end.
    case finished
    /// Was refused, or lost.
    case gone

    var isOver: Bool { self == .finished || self == .gone }
}
