/// The places where bytes from outside enter, each as a function of one input.
///
/// `Fuzz/run` drives them with libFuzzer, and the tests replay the corpus and every kept failure through the same
/// functions. A trap is a failure, and so is a thrown ``BrokenPromise``.
package enum FuzzTarget: String, Sendable, CaseIterable {
    /// A client's bytes and their times, into the server's session.
    case rtmpServer = "rtmp-server"
    /// A server's bytes and their times, into the session with which streams are pushed.
    case rtmpClient = "rtmp-client"
    /// Chunks into messages, the same whatever the pieces they come in.
    case chunks
    /// AMF0 values, and AMF3 values inside them.
    case amf
    /// Bodies of audio and video messages, with the codec headers inside.
    case tags
    /// An MPEG-TS stream.
    case mpegts
    /// The control API's JSON, with the writers that rebuild what a client signed.
    case json
    /// Bodies of the control API's requests, after a line with their content type.
    case forms
    /// Paths that players ask for.
    case paths
    /// Heads of players' requests.
    case heads
    /// First messages of TLS clients.
    case hellos
    /// Configuration files.
    case yaml

    /// Feeds one input.
    /// - Throws: ``BrokenPromise`` when what came out contradicts what the code promises of every input.
    package func run(_ input: [UInt8]) throws {
        switch self {
        case .rtmpServer: try RTMPFuzzing.server(input)
        case .rtmpClient: try RTMPFuzzing.client(input)
        case .chunks: try RTMPFuzzing.chunks(input)
        case .amf: try RTMPFuzzing.amf(input)
        case .tags: try MediaFuzzing.tags(input)
        case .mpegts: try MediaFuzzing.transportStream(input)
        case .json: try TextFuzzing.json(input)
        case .forms: try TextFuzzing.forms(input)
        case .paths: try TextFuzzing.paths(input)
        case .heads: try TextFuzzing.heads(input)
        case .hellos: try TextFuzzing.hellos(input)
        case .yaml: try TextFuzzing.yaml(input)
        }
    }
}

/// Something that holds for every input and did not for this one.
package struct BrokenPromise: Error, CustomStringConvertible {
    package var description: String
}

/// - Throws: ``BrokenPromise`` with `sentence` unless `condition` holds.
func promise(_ condition: Bool, _ sentence: @autoclosure () -> String) throws(BrokenPromise) {
    if !condition { throw BrokenPromise(description: sentence()) }
}
