import Basics
import Foundation
import GRDB
import Usher

/// A transaction of the embedded store.
struct SQLiteTransaction: StoreTransaction {
    let database: Database
    let secret: ServerSecret

    func insertTickets(_ tickets: [Ticket]) throws -> [Ticket] {
        try tickets.map { try SQLiteStore.insert($0, in: database) }
    }

    func updateTicket(key: String, accountID: AccountID, _ change: TicketChange) throws -> TicketUpdate {
        try SQLiteStore.update(key, of: accountID, change, in: database)
    }

    func runningSessions(ofTicket id: Int64, heardAfter date: Date) throws -> Int {
        try SQLiteStore.runningSessions(ofTicket: id, heardAfter: date, in: database)
    }

    func stream(id: Int64) throws -> StreamSettings? {
        try SQLiteStore.stream(id: id, in: database)
    }

    func streamSettings(app: String, stream: String) throws -> [StreamSettings] {
        try SQLiteStore.streamSettings(app: app, stream: stream, in: database)
    }

    func upsertStream(_ settings: StreamSettings) throws -> StreamSettings {
        try SQLiteStore.upsertStream(settings, in: database)
    }

    func insertStreamUser(_ user: StreamUser) throws -> StreamUser {
        try SQLiteStore.insert(user, in: database)
    }

    func streamUser(id: Int64) throws -> StreamUser? {
        try SQLiteStore.streamUser(id: id, in: database)
    }

    func streamUsers(accountID: AccountID, app: String?, stream: String?) throws -> [StreamUser] {
        try SQLiteStore.streamUsers(accountID: accountID, app: app, stream: stream, in: database)
    }

    func updateStreamUser(_ user: StreamUser) throws -> Bool {
        try SQLiteStore.update(user, in: database)
    }

    func removeStreamUser(id: Int64) throws -> Bool {
        try database.run("DELETE FROM stream_users WHERE id = ?", [id]) > 0
    }

    func push(id: Int64, accountID: AccountID) throws -> PushService? {
        try SQLiteStore.push(id: id, of: accountID, with: secret, in: database)
    }

    func insertPush(_ push: PushService) throws -> PushService {
        try SQLiteStore.insert(push, with: secret, in: database)
    }

    func updatePush(_ push: PushService) throws -> Bool {
        try SQLiteStore.update(push, with: secret, in: database)
    }

    func removePush(id: Int64, accountID: AccountID) throws -> Bool {
        try database.run("DELETE FROM pushes WHERE id = ? AND cdn = ?", [id, accountID]) > 0
    }

    func recordChanges(_ touch: ReplayTouch) throws {
        try SQLiteStore.recordChanges(touch.changed, by: "", in: database)
    }
}
