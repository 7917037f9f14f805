import NIOCore
import NIOPosix
import Settings
import Testing

@testable import Origin

@Suite("Failures of the start") struct StartFailureTests {
    private func failure(_ code: Int32, port: Int = 18_080) async -> String {
        do {
            try await StartFailure.listening("http.listen", HostPort(host: "127.0.0.1", port: port)) {
                throw IOError(errnoCode: code, reason: "bind(descriptor:ptr:bytes:)")
            }
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("A listener that cannot be bound names its key, its address and what to do")
    func sentences() async {
        #expect(
            await failure(EADDRINUSE) == "http.listen 127.0.0.1:18080: another program listens there (ss -ltnp)")
        #expect(
            await failure(EADDRNOTAVAIL) == "http.listen 127.0.0.1:18080: this machine has no such address (ip addr)")
        #expect(await failure(EACCES, port: 80).contains("may not listen on ports below 1024"))
        #expect(await failure(EMFILE) == "http.listen 127.0.0.1:18080: Too many open files")
    }
}
