/// What an account may be called. The name begins the names of its apps (`demo-origin`), so it holds no hyphen.
enum AccountName {
    static let rule = "2 to 32 letters and digits, of which the first is a lower-case letter"

    static func isValid(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard (2...32).contains(bytes.count), let first = bytes.first, (0x61...0x7A).contains(first) else {
            return false
        }
        return bytes.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: false
            }
        }
    }
}
