import Foundation
import NIOCore

/// One moment on both clocks: lengths of time are measured on the steady one, and only what is a date (`expires`, the dates of
/// rows) is compared with the wall clock, which may be set forward or back at any time.
public struct Moment: Sendable, Hashable {
    public var steady: NIODeadline
    public var date: Date

    public init(steady: NIODeadline, date: Date) {
        self.steady = steady
        self.date = date
    }

    /// What both clocks show.
    public static func now() -> Moment {
        Moment(steady: .now(), date: Date())
    }

    /// The date of an earlier moment of the steady clock, by what the wall clock shows now.
    func date(of earlier: NIODeadline) -> Date {
        date.addingTimeInterval(-Double((steady - earlier).nanoseconds) / 1_000_000_000)
    }
}
