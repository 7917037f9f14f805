import Basics
import Foundation
import NIOSSL
import Origin
import Settings
import Yams

/// Where `playhouse call` sends to, and as whom: a small YAML file that only its owner may read.
struct Profile: Sendable, Equatable {
    var url: String
    var accountID: AccountID
    var apiKey: String
    var privateKey: String
    /// Where the certificates (PEM) are that the server's has to be signed by; nil: those that this machine trusts. In the
    /// file it may be relative to the file's own folder.
    var caFile: String?

    private static let names = ["url", "cdn", "api_key", "private_key", "ca_file"]

    /// `$PLAYHOUSE_PROFILE`, else `~/.config/playhouse/profile.yaml`.
    static func standardPath(_ environment: [String: String]) -> String {
        if let path = environment["PLAYHOUSE_PROFILE"], !path.isEmpty { return path }
        let home = environment["HOME"] ?? NSHomeDirectory()
        return home + "/.config/playhouse/profile.yaml"
    }

    /// The API of a server on this machine.
    static func standardURL(for listen: HostPort) -> String {
        let anywhere = ["0.0.0.0", "::", "*"]
        let host = HostPort(host: anywhere.contains(listen.host) ? "127.0.0.1" : listen.host, port: listen.port)
        return "http://\(host)/stable/"
    }

    /// Reads the profile. Its errors never hold what stands in the file.
    static func read(_ path: String, allowsOthers: Bool) throws -> Profile {
        let manager = FileManager.default
        guard let attributes = try? manager.attributesOfItem(atPath: (path as NSString).resolvingSymlinksInPath),
            let data = manager.contents(atPath: path)
        else {
            throw Failure(
                """
                there is no profile \(path) that can be read; `playhouse account create NAME --profile FILE` writes one, or \
                write url, cdn, api_key and private_key yourself
                """)
        }
        let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0o777
        guard allowsOthers || mode & 0o077 == 0 else {
            throw Failure("others may read the keys in \(path): run chmod 600 on it, or give --insecure-profile")
        }
        guard data.count <= 65536, let text = String(data: data, encoding: .utf8),
            let root = try? Yams.compose(yaml: text), case .mapping(let mapping) = root
        else {
            throw Failure("\(path) is not a profile: expected lines of url, cdn, api_key and private_key")
        }
        var values: [String: String] = [:]
        for (key, value) in mapping {
            let name = key.scalar?.string ?? ""
            guard names.contains(name), let text = value.scalar?.string else {
                let line = key.mark.map { ":\($0.line)" } ?? ""
                throw Failure("\(path)\(line): expected one of \(names.joined(separator: ", ")) with its value")
            }
            values[name] = text
        }
        func value(_ name: String) throws -> String {
            guard let text = values[name], !text.isEmpty else { throw Failure("\(path): \(name) is missing") }
            return text
        }
        let url = try value("url")
        guard let parts = URLComponents(string: url), ["http", "https"].contains(parts.scheme), parts.host != nil else {
            throw Failure("\(path): url: expected an http or https address, such as https://live.example.com/stable/")
        }
        guard let number = Int(try value("cdn")), number > 0 else {
            throw Failure("\(path): cdn: expected a whole number")
        }
        var caFile = values["ca_file"]
        if let file = caFile {
            guard parts.scheme == "https" else {
                throw Failure("\(path): ca_file: url is no https address, so there is no certificate to be checked")
            }
            let folder = (path as NSString).deletingLastPathComponent
            let place = file.hasPrefix("/") || folder.isEmpty ? file : "\(folder)/\(file)"
            try checkCertificates(place, of: path)
            caFile = place
        }
        return Profile(
            url: url, accountID: AccountID(rawValue: number), apiKey: try value("api_key"),
            privateKey: try value("private_key"), caFile: caFile)
    }

    private static func checkCertificates(_ file: String, of path: String) throws {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Failure("\(path): ca_file: \(file) cannot be read: \(SystemError.text(errno))")
        }
        close(descriptor)
        guard let certificates = try? NIOSSLCertificate.fromPEMFile(file), !certificates.isEmpty else {
            throw Failure("\(path): ca_file: \(file) holds no certificate in PEM form")
        }
    }

    var yaml: String {
        """
        # Signs API calls of `playhouse call`. Keep it to yourself.
        url: \(RawSetting.scalar(url))
        cdn: \(accountID)
        api_key: \(RawSetting.scalar(apiKey))
        private_key: "\(privateKey)"

        """ + (caFile.map { "ca_file: \(RawSetting.scalar($0))\n" } ?? "")
    }

    /// Writes a file with mode 0600 that is there in whole or not at all.
    func write(to path: String) throws {
        let folder = (path as NSString).deletingLastPathComponent
        if !folder.isEmpty {
            try? FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        let temporary = "\(path).\(ProcessInfo.processInfo.processIdentifier).new"
        // Nobody else may open it even for the moment between its creation and its rename.
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure("\(path) cannot be written: \(String(cString: strerror(errno)))") }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try handle.write(contentsOf: Data(yaml.utf8))
            try handle.close()
            guard rename(temporary, path) == 0 else { throw Failure(String(cString: strerror(errno))) }
        } catch {
            unlink(temporary)
            throw Failure("\(path) cannot be written: \(error)")
        }
    }
}
