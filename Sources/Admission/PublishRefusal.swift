import Basics

/// Why an encoder may not publish: what it is told, and what the log says.
public enum PublishRefusal: Error, Sendable, Hashable {
    /// - Parameter fault: what is wrong with which name; nothing of the name itself.
    case invalidName(fault: String)
    /// Instance `play`, or an app's name for playback: nobody could watch what is published there.
    case playbackName
    /// No account has an app of that name.
    case unknownApp
    /// The app's account is suspended.
    case suspended
    /// No stream user of the app may publish under that name.
    case unknownStream
    case missingCredentials
    case wrongCredentials
    /// Too many failures from this address; credentials were not looked at.
    case tooManyFailures
    case busy
    case overloaded
    case unavailable(String)

    /// The sentence for the encoder and the event log. It does not tell which of user and password was wrong.
    public var message: String {
        switch self {
        case .invalidName(let fault):
            "\(fault); app, instance and stream names are 1-128 letters, digits and -_.~"
        case .playbackName: "this is a name for playback; publish to instance live of the -origin or -chorigin app"
        case .unknownApp: "no such application"
        case .suspended: "the account is suspended"
        case .unknownStream: "no stream user may publish this stream"
        case .missingCredentials: "user and pass are required to publish this stream"
        case .wrongCredentials: "user or pass is wrong for this stream"
        case .tooManyFailures: "too many failures from this address, try again in a minute"
        case .busy: "the stream is being published already"
        case .overloaded: "the server holds as much as it may"
        case .unavailable(let reason): reason
        }
    }

    /// The sentence for the encoder, which may have put into its address what never arrived: ffmpeg cuts a stream's name at a
    /// space. So it is told the name that was heard.
    public func message(for stream: StreamAddress) -> String {
        self == .unknownStream ? "\(message): \(stream)" : message
    }

    /// RTMP's onStatus code: BadName is what encoders know as "stream key refused or in use"; Denied is for logins.
    public var statusCode: String {
        switch self {
        case .invalidName, .playbackName, .unknownApp, .unknownStream, .busy: "NetStream.Publish.BadName"
        case .suspended, .missingCredentials, .wrongCredentials, .tooManyFailures: "NetStream.Publish.Denied"
        case .overloaded, .unavailable: "NetStream.Publish.Failed"
        }
    }

    /// Whether it counts against the address (`api.rate_limit` failures a minute): a login was refused or a name was guessed.
    var isSuspicious: Bool {
        switch self {
        case .wrongCredentials, .missingCredentials, .unknownStream, .unknownApp, .invalidName: true
        default: false
        }
    }
}
