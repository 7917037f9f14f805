/// Finds the name somebody probably meant.
enum NearestName {
    /// The name closest to `word`, when it is close enough to be a slip of the keyboard: at most a third of the letters
    /// differ (and at least one may).
    static func of(_ word: String, among names: [String]) -> String? {
        // Longer texts are no misspelt names, and the table below grows with the length.
        guard word.utf8.count <= 80 else { return nil }
        let limit = max(1, word.utf8.count / 3)
        return names.map { (name: $0, distance: distance(Array(word.utf8), Array($0.utf8))) }
            .filter { $0.distance <= limit }
            .min { ($0.distance, $0.name) < ($1.distance, $1.name) }?
            .name
    }

    /// Edits between two words: letters put in, taken out or exchanged (Levenshtein).
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let above = row[j + 1]
                row[j + 1] = min(above + 1, row[j] + 1, a == b ? diagonal : diagonal + 1)
                diagonal = above
            }
        }
        return row[right.count]
    }
}
