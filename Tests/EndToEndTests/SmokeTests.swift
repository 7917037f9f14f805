import TestSupport
import Testing

@Suite struct SmokeTests {
    @Test("The origin starts, answers and stops")
    func theOriginStartsAnswersAndStops() async throws {
        let origin = try await OriginProcess()
        let account = try await origin.account()
        let reply = try await account.succeed("app.list")
        #expect(reply["code"] == 2702)
        let result = try await origin.stop()
        #expect(result.status == 0)
    }

    @Test("A second server on the same store runs and says so, and one after it does not")
    func twoServers() async throws {
        let first = try await OriginProcess()
        #expect(first.logLines("another server uses this store") == 0)
        let second = try await OriginProcess(folder: first.folder)
        #expect(second.logLines("warning", "another server uses this store", "folder=\(first.folder.path)/data") == 1)
        // The command line opens the store as well, and is no server.
        _ = try await first.account()
        try await second.stop()
        try await first.stop()
        let third = try await OriginProcess(folder: first.folder)
        #expect(third.logLines("another server uses this store") == 0)
    }
}
