import ArgumentParser
import Basics
import ControlAPI
import Origin
import Settings

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

    @Flag(help: "Print {\"name\":…,\"version\":…}.")
    var json = false

    func run() {
        let object: JSONObject = ["name": "playhouse", "version": .string(PlayhouseVersion.current)]
        Terminal.print(json ? Terminal.json(.object(object)) : "playhouse \(PlayhouseVersion.current)")
    }
}
