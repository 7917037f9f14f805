import Live
import RTMP
import Testing

@testable import RTMPServer

@Suite("Which stream an RTMP client means") struct RTMPAddressingTests {
    @Test(
        "App, instance and name come together however the client divides them",
        arguments: [
            ("demo-origin/live", "show", "demo-origin/live/show"),
            ("demo-origin", "show", "demo-origin/live/show"),
            ("demo-origin", "stage/show", "demo-origin/stage/show"),
            ("demo-origin/_definst_", "show", "demo-origin/live/show"),
        ])
    func address(app: String, name: String, expected: String) {
        let address = RTMPAddressing.address(AppPath(app), StreamName(name))
        #expect(address.description == expected)
    }
}
