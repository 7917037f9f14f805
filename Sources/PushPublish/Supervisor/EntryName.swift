/// What a session is called on its app and instance.
public enum EntryName {
    /// Stands for all sessions in `pushpublish.disconnect`.
    public static let all = "*"

    /// One to 128 bytes without control characters, and not `*`.
    public static func isValid(_ name: String) -> Bool {
        !name.isEmpty && name != all && name.utf8.count <= 128 && name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    /// The wanted name, or it with `_2`, `_3` … when it is taken.
    static func free(_ wanted: String, taken: Set<String>) -> String {
        guard taken.contains(wanted) else { return wanted }
        // One of them is free: there are more numbers than names taken.
        for number in 2...(taken.count + 2) where !taken.contains("\(wanted)_\(number)") {
            return "\(wanted)_\(number)"
        }
        return "\(wanted)_\(taken.count + 3)"
    }
}
