import Usher

/// Those who let viewers in, as far as the API tells them something.
public protocol AdmissionControl: Sendable {
    /// A ticket was changed here just now: sessions it no longer allows end at once, not at the next look at the store.
    func ticketChanged(_ ticket: Ticket) async
}
