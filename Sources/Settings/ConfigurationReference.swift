/// The table of keys as text for people: a YAML file with every default, and the reference in docs/configuration.md.
public enum ConfigurationReference {
    /// What `playhouse config print-default` prints: every key with its default and what it is for.
    public static var yaml: String {
        var lines = [
            "# Playhouse configuration: every key with its default. Remove what you do not change.",
            "# A duration may carry a unit: ms, s, min, h, d. So may a number of bytes: KiB, MiB, GiB, kB, MB, GB.",
        ]
        for group in ConfigurationKey.groups {
            lines += ["", "# \(group.text)", "\(group.name):"]
            for key in ConfigurationKey.all where key.group == group.name {
                lines += wrapped(key.text, width: 100).map { "  # \($0)" }
                lines.append("  # (\(remark(key)))")
                lines.append("  \(key.member): \(key.defaultValue)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// docs/configuration.md.
    public static var markdown: String {
        var text = introduction
        for group in ConfigurationKey.groups {
            text += """

                ## \(group.name)

                \(group.text)

                | key | default | type | meaning |
                | --- | --- | --- | --- |

                """
            for key in ConfigurationKey.all where key.group == group.name {
                text += "| `\(key.name)` | `\(key.defaultValue)` | \(type(key)) | \(key.text) |\n"
            }
        }
        return text
    }

    /// `duration in s, 0.5 to 30 s`.
    private static func type(_ key: ConfigurationKey) -> String {
        let unit = key.unit.isEmpty || key.unit == key.type ? "" : " in \(key.unit)"
        return key.type + unit + (key.range.isEmpty ? "" : ", \(key.range)")
    }

    private static func remark(_ key: ConfigurationKey) -> String {
        type(key).replacing("`", with: "")
    }

    /// Breaks `text` at blanks into lines of at most `width` characters.
    private static func wrapped(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }

    private static let introduction = """
        # Configuration

        <!-- Generated: `playhouse config print-default --markdown > docs/configuration.md`. Edit the table in
        Sources/Settings instead. -->

        Playhouse needs no configuration to start: every key has a default. What you change stands in one YAML file
        (`playhouse serve --config FILE`), and environment variables override the file. `playhouse config print-default`
        prints a file with every key; `playhouse config check --config FILE` says everything that is wrong with yours.

        ```yaml
        http:
          listen: "[::]:8080"
        hls.segment_duration: 4        # the dotted spelling means the same
        push:
          allow_private: [10.0.0.0/8]
        ```

        - **Environment.** `http.listen` is `PLAYHOUSE_HTTP_LISTEN`, and so on for every key. Lists are separated by
          commas: `PLAYHOUSE_PUSH_ALLOW_PRIVATE=10.0.0.0/8,fd00::/8`. `PLAYHOUSE_CONFIG` names the file where no `--config`
          is given.
        - **Mistakes stop the start.** An unknown key, a wrong value, a key given twice, or a `PLAYHOUSE_…` variable that
          no key has: all are listed at once, with file and line or the variable's name, and the program ends with exit
          code 78. (`PLAYHOUSE_PORT…` and `PLAYHOUSE_SERVICE_…`, which Kubernetes sets by itself, are passed over.)
        - **Durations** are numbers in the unit of the table, or carry their own: `500ms`, `2s`, `5min`, `1h`, `90d`.
        - **Bytes** are numbers, or `KiB`, `MiB`, `GiB`, `TiB` (powers of 1024), `kB`, `MB`, `GB`, `TB` (of 1000).
        - **Addresses** are `host:port`. An IPv6 address stands in brackets, and in YAML in quotes: `"[::]:1935"`.
        - **Patterns**: `*` stands for any run of characters, `/` included. In YAML a text that begins with `*` stands in
          quotes.
        - **Relative paths** start at the configuration file's folder, so that `serve` and `account` find the same store
          from any working directory; a path from the environment, or without a file, starts at the working directory.

        """
}
