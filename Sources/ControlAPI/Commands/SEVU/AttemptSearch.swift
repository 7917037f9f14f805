import Foundation
import Storage
import Usher

/// The filters that `sevu.errorlog` and `sevu.errorcount` share.
enum AttemptSearch {
    static let documents: [FieldDocument] = [
        .init("key", "string", "The ticket's key."),
        .init("app", "string", "The application; `*` for any characters."),
        .init("video", "string", "The stream or VOD path; `*` for any characters."),
        .init("ip", "string", "The viewer's address, or a CIDR block."),
        .init("pass", "string", "The pass."),
        .init("success", "int", "1: accepted attempts only, 0: rejected ones only."),
    ]

    static func filter(_ fields: inout Fields) -> AttemptFilter {
        var filter = AttemptFilter()
        // The page of errorcount writes the field with a capital letter in its table.
        filter.key = fields.optionalText(fields.isPresent("key") ? "key" : "Key")
        filter.app = fields.optionalText("app")
        filter.video = fields.optionalText("video", .text(limit: 1024)).map(VideoName.normalized)
        filter.address = fields.optionalText("ip")
        if let address = filter.address, IPNetwork(address) == nil {
            fields.add(.invalid("ip", expected: "must be an IPv4 or IPv6 address or a CIDR block"))
        }
        filter.pass = fields.optionalText("pass")
        filter.isSuccess = fields.optionalFlag("success")
        return filter
    }
}
