import Basics
import Foundation

extension APIKey {
    /// A new pair of keys, not stored yet, from the system's secure source: `APX` and 29 letters and digits (150 bits),
    /// 64 hexadecimal digits (256 bits).
    public static func generate(accountID: AccountID, rights: KeyRights, label: String, now: Date) -> APIKey {
        var generator = SystemRandomNumberGenerator()
        func draw(_ alphabet: String, _ count: Int) -> String {
            String((0..<count).compactMap { _ in alphabet.randomElement(using: &generator) })
        }
        return APIKey(
            accountID: accountID, apiKey: "APX" + draw("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 29),
            privateKey: draw("0123456789abcdef", 64), rights: rights, label: label, created: now)
    }
}
