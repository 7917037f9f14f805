import Testing

@Suite struct SmokeTests {
    @Test func theOriginStartsAnswersAndStops() async throws {
        let origin = try await OriginProcess()
        let account = try await origin.account()
        let reply = try await account.succeed("app.list")
        #expect(reply["code"] == 2702)
        let result = try await origin.stop()
        #expect(result.status == 0)
    }
}
