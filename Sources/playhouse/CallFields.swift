import Basics
import ControlAPI

/// The fields of a call as they stand on the command line: `name=text`, and `name:=json` for anything but text.
enum CallFields {
    /// What the call itself adds; a field of that name would be lost or would break the signature.
    private static let envelope: Set<String> = ["command", "cdn", "api_key", "timestamp", "signature", "private_key"]

    /// The fields in their order: those of `object` (JSON text of an object), then `arguments`. Each name once.
    static func parse(_ arguments: [String], object: String?) throws(Failure) -> JSONObject {
        var fields = JSONObject()
        if let object {
            guard case .object(let members) = try json(object, of: "--json-fields") else {
                throw Failure(
                    "--json-fields: expected a JSON object, such as '{\"filters\":{\"app\":\"demo-origin\"}}'")
            }
            for member in members.members {
                try add(member.name, member.value, to: &fields)
            }
        }
        for argument in arguments {
            guard let equals = argument.firstIndex(of: "="), equals > argument.startIndex else {
                throw Failure("\"\(argument)\": expected field=value, or field:=json")
            }
            let text = String(argument[argument.index(after: equals)...])
            let left = argument[..<equals]
            if left.hasSuffix(":") {
                let name = String(left.dropLast())
                guard !name.isEmpty else { throw Failure("\"\(argument)\": expected field=value, or field:=json") }
                try add(name, try json(text, of: name), to: &fields)
            } else {
                try add(String(left), .string(text), to: &fields)
            }
        }
        return fields
    }

    private static func add(_ name: String, _ value: JSONValue, to fields: inout JSONObject) throws(Failure) {
        guard !envelope.contains(name) else {
            throw Failure("\(name) is not a field: it comes from the profile and the command")
        }
        guard fields[name] == nil else { throw Failure("the field \(name) is given twice") }
        fields[name] = value
    }

    private static func json(_ text: String, of name: String) throws(Failure) -> JSONValue {
        do throws(JSONError) {
            return try JSONParser.parse(text).root
        } catch {
            throw Failure("\(name): not JSON: \(error)")
        }
    }
}
