/// `app`, `inst` and `stream` as commands about running streams take them.
enum StreamAddressFields {
    static let app = FieldDocument("app", "string", required: true, "The application.")
    static let instance = FieldDocument("inst", "string", required: true, "The instance, such as `live`.")
    static let stream = FieldDocument("stream", "string", required: true, "The stream.")
    static let originURL = FieldDocument(
        "origin_url", "string", "The host of the origin to ask; one origin alone answers for every name.")
}
