import AsyncHTTPClient
import Basics
import ControlAPI
import Foundation
import NIOCore

extension TestAccount {
    /// Signs and sends a command as a JSON body; gives the reply's bytes as they came.
    func raw(_ command: String, _ fields: JSONObject = [:]) async throws -> String {
        try await send(keys.text(command: command, fields: fields, now: Date())).text
    }

    /// Sends a text that is signed already.
    func send(_ text: String, path: String? = nil) async throws -> (status: Int, text: String) {
        var request = HTTPClientRequest(url: path.map { url.replacing("/stable/", with: $0) } ?? url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: text))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let body = try await response.body.collect(upTo: 4 << 20)
        return (Int(response.status.code), String(buffer: body))
    }
}
