import Basics

/// How many connections may be on their way to one endpoint at a time, and who waits for a turn.
///
/// A platform that comes back after an outage is not met by every push at once. An account has places of its own, and the
/// accounts that wait take turns, so that one whose connections hang does not stop the others' from being made. A
/// connection that was accepted has left its place.
struct ConnectionSlots<ID: Hashable & Sendable>: Sendable {
    /// Where a connection goes: host and port.
    struct Endpoint: Hashable, Sendable {
        var host: String
        var port: Int
    }

    private struct Places {
        /// Connections on their way, and whose they are.
        var running: [ID: AccountID] = [:]
        var waiting = FairQueue<AccountID, ID>()

        func count(of account: AccountID) -> Int {
            running.values.count { $0 == account }
        }
    }

    /// Accounts that may use all their places at one endpoint at once.
    private static var fullAccounts: Int { 4 }

    private let perAccount: Int
    private let perEndpoint: Int
    private var endpoints: [Endpoint: Places] = [:]

    /// - Parameter perAccount: connections of one account on their way to one endpoint; all accounts together may have
    ///   four times as many.
    init(perAccount: Int) {
        self.perAccount = max(1, perAccount)
        perEndpoint = self.perAccount * ConnectionSlots.fullAccounts
    }

    /// - Returns: whether the connection may start now; otherwise it waits and is given by a later `release`.
    mutating func acquire(_ id: ID, endpoint: Endpoint, account: AccountID) -> Bool {
        var places = endpoints[endpoint, default: Places()]
        defer { endpoints[endpoint] = places }
        guard places.running.count < perEndpoint, places.count(of: account) < perAccount else {
            places.waiting.append(id, of: account)
            return false
        }
        places.running[id] = account
        return true
    }

    /// The connection is over, accepted or not wanted any more. Harmless when it holds nothing.
    /// - Returns: who may start now.
    mutating func release(_ id: ID, endpoint: Endpoint, account: AccountID) -> ID? {
        guard var places = endpoints[endpoint] else { return nil }
        defer { endpoints[endpoint] = places.running.isEmpty && places.waiting.isEmpty ? nil : places }
        guard places.running.removeValue(forKey: id) != nil else {
            places.waiting.remove(id, of: account)
            return nil
        }
        let perAccount = perAccount
        let counted = places
        guard let next = places.waiting.next(where: { counted.count(of: $0) < perAccount }) else { return nil }
        places.running[next.element] = next.group
        return next.element
    }
}
