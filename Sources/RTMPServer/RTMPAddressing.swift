import Live
import RTMP

/// Puts together which stream a client means, from its app and the name it publishes or plays.
///
/// `rtmp://host/<app>/<instance>/<stream>` reaches us as app `<app>/<instance>` and name `<stream>` from nearly every
/// client, as app `<app>` and name `<instance>/<stream>` from some; without an instance it is `live`.
enum RTMPAddressing {
    static func address(_ path: AppPath, _ name: StreamName) -> StreamAddress {
        if let instance = path.instance {
            return StreamAddress(app: path.app, instance: instance, stream: name.name)
        }
        if name.prefix == nil, let slash = name.name.firstIndex(of: "/") {
            return StreamAddress(
                app: path.app, instance: String(name.name[..<slash]),
                stream: String(name.name[name.name.index(after: slash)...]))
        }
        return StreamAddress(app: path.app, instance: "live", stream: name.name)
    }

    /// A parameter of the stream name, else of the app.
    static func parameter(_ key: String, _ name: StreamName, _ request: ConnectRequest) -> String? {
        name.parameters[key] ?? request.parameter(key)
    }
}
