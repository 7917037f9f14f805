import Logging
import Storage

/// All settings of an origin, typed and checked. `PlayhouseConfiguration()` holds the defaults; `load` reads the file and
/// the environment over them. What each key means, its unit and range stand in `ConfigurationKey.all`, which
/// docs/configuration.md is generated from.
public struct PlayhouseConfiguration: Sendable, Hashable {
    public var server = Server()
    public var http = HTTP()
    public var rtmp = RTMP()
    public var live = Live()
    public var hls = HLS()
    public var usher = Usher()
    public var push = Push()
    public var api = API()
    public var storage = Storage()
    public var limits = Limits()
    public var log = Log()
    public var compat = Compat()

    public init() {}
}
