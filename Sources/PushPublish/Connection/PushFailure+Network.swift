import Basics
import NIOCore
import NIOSSL

extension PushFailure {
    /// A TCP connection that did not come about.
    init(connecting error: any Error, to address: SocketAddress) {
        let place = address.ipAddress.map { "\($0) port \(address.port ?? 0)" } ?? "the destination"
        switch error {
        case is ChannelError:
            if case .connectTimeout? = error as? ChannelError {
                self.init(.timeout, "\(place) does not answer")
            } else {
                self.init(.connectFailed, "no connection to \(place)")
            }
        default:
            self.init(.connectFailed, "no connection to \(place): \(SystemError.text(of: error))")
        }
    }

    /// A connection that stood and broke.
    init(connection error: any Error) {
        switch error {
        case let error as NIOSSLError:
            self.init(tls: error)
        case is NIOSSLExtraError:
            self.init(.certificateRefused, "the destination's certificate is not for this host name")
        case let error as BoringSSLError:
            self.init(tls: "\(error)")
        case let error as IOError:
            self.init(.connectionLost, "the connection broke: \(SystemError.text(of: error))")
        default:
            self.init(.connectionLost, "the connection broke")
        }
    }

    private init(tls error: NIOSSLError) {
        switch error {
        case .uncleanShutdown:
            self.init(.connectionLost, "the destination closed the connection")
        case .unableToValidateCertificate, .noCertificateToValidate:
            self.init(.certificateRefused, "the destination's certificate could not be verified")
        case .handshakeFailed(let inner):
            self.init(tls: "\(inner)")
        default:
            self.init(.tlsFailed, "TLS failed: \(error)")
        }
    }

    /// BoringSSL's own words hold the reason as a constant's name.
    private init(tls description: String) {
        if description.contains("CERTIFICATE_VERIFY_FAILED") {
            self.init(
                .certificateRefused,
                "the destination's certificate is not trusted: expired, or signed by nobody this system knows")
        } else if description.contains("WRONG_VERSION_NUMBER") {
            self.init(.tlsFailed, "the destination does not speak TLS on this port")
        } else {
            self.init(.tlsFailed, "TLS failed: \(String(description.prefix(160)))")
        }
    }
}
