/// The address of a media playlist inside a viewing session, relative to the master playlist.
///
/// The session stands in the path, so segments inherit it without a query, a cookie or a header. The ticket's key and
/// pass, and nothing else, stand in the query again: a node that does not know the session can then open another.
public enum SessionPath {
    /// `sess_<session>/<playlist>`, and `?key=…&pass=…` when there is a ticket.
    public static func uri(
        session: String, playlist: String = "chunklist.m3u8", key: String? = nil, pass: String? = nil
    ) -> String {
        var query: [String] = []
        if let key { query.append("key=\(PlaylistText.percentEncoded(key))") }
        if let pass { query.append("pass=\(PlaylistText.percentEncoded(pass))") }
        let path = "sess_\(PlaylistText.percentEncoded(session))/\(PlaylistText.percentEncoded(playlist))"
        return query.isEmpty ? path : "\(path)?\(query.joined(separator: "&"))"
    }
}
