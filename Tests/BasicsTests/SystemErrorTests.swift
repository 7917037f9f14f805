import Basics
import NIOCore
import Testing

@Suite struct SystemErrorTests {
    @Test("A network error reads as the operating system's reason alone, without function, number or stray parenthesis")
    func networkErrors() {
        let refused = IOError(errnoCode: 111, reason: "connect(descriptor:addr:size:)")
        #expect(SystemError.text(of: refused) == "Connection refused")
        #expect(SystemError.text(of: IOError(errnoCode: 98, reason: "bind")) == "Address already in use")
        #expect(SystemError.text(of: ChannelError.connectTimeout(.seconds(3))) == "no answer in time")
    }

    @Test("What nobody knows is shown as it describes itself, cut to a length that fits a log line")
    func unknownErrors() {
        struct Long: Error, CustomStringConvertible {
            let description = String(repeating: "é", count: 10_000)
        }
        #expect(SystemError.text(of: Long()).utf8.count == 320)
    }
}
