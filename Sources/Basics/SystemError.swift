import Glibc
import NIOCore

/// Errors of the operating system and of SwiftNIO in words that people can read.
public enum SystemError {
    /// What an `errno` means: `Connection refused`.
    public static func text(_ code: CInt) -> String {
        strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }

    /// The reason in a network error: `Connection refused`, `Address already in use`. At most 160 Unicode scalars.
    ///
    /// `IOError` describes itself as `connect(descriptor:addr:size:): Connection refused) (errno: 111)`: the function, the
    /// number and the stray parenthesis say nothing to an operator.
    public static func text(of error: any Error) -> String {
        switch error {
        case let error as IOError: return text(error.errnoCode)
        case ChannelError.connectTimeout: return "no answer in time"
        case ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed, ChannelError.eof: return "closed"
        default:
            var shown = String.UnicodeScalarView()
            shown.append(contentsOf: "\(error)".unicodeScalars.prefix(160))
            return String(shown)
        }
    }
}
