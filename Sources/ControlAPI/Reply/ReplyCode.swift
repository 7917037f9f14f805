/// Every code a reply may carry. Families: 0-99 and 1000 common, 20xx tickets, 21xx stream users, 22xx streams, 23xx
/// pushes, 27xx log, server, apps, viewers and usage. What each means stands in `entry` and nowhere else; the
/// documentation is made from it.
public enum ReplyCode: Int, Sendable, Hashable, CaseIterable {
    case unrecognizedCommand = 0
    case cdnAuthorizationFailed = 1
    case timestampOutOfRange = 2
    case signatureFailed = 3
    case unexpectedError = 4
    case unauthorized = 5
    case requiredFieldsMissing = 6
    case fieldInvalid = 7
    case accountSuspended = 8
    case requestRunning = 9
    case unusuallyHighTraffic = 1000

    case ticketCreated = 2000
    case ticketFound = 2001
    case ticketRevoked = 2002
    case ticketsListed = 2003
    case ticketUpdated = 2004
    case ticketsCreated = 2005
    case sessionsListed = 2006
    case sessionEnded = 2007
    case ticketNotFound = 2040
    case sessionNotFound = 2041
    case attemptsListed = 2050
    case attemptsCounted = 2051

    case streamUserAdded = 2100
    case streamUsersListed = 2101
    case streamUserFound = 2102
    case streamUserRemoved = 2103
    case streamUpdated = 2104
    case streamUserUpdated = 2105
    case streamUserNotFound = 2140
    case streamUserExists = 2141
    case streamNotFound = 2142

    case activeStreamsListed = 2200
    case streamDetailsFound = 2201
    case streamClosed = 2202
    case streamNotActive = 2240

    case pushAdded = 2300
    case pushUpdated = 2301
    case pushRemoved = 2302
    case pushesListed = 2303
    case pushConnecting = 2304
    case pushNotConnected = 2340
    case pushNotFound = 2341
    case pushAlreadyConnected = 2342
    case pushRefused = 2343

    case originLogListed = 2700
    case serverReachable = 2701
    case appsListed = 2702
    case viewersCounted = 2703
    case viewersListed = 2704
    case viewerHistoryListed = 2705
    case usageSummarized = 2706
    case usageListed = 2707
    case usedVideosListed = 2708
    case appNumbersListed = 2709
    case diskUsageListed = 2710
    case serverNotReachable = 2740

    /// The message a reply has unless it says something more precise; whether the reply is a success; and when it is
    /// given.
    public var entry: (message: String, isSuccess: Bool, when: String) {
        switch self {
        case .unrecognizedCommand:
            (
                "Unrecognized API Command", false,
                "`command` names none of the commands below; the message may say which one was meant."
            )
        case .cdnAuthorizationFailed:
            (
                "CDN Authorization failed, invalid API key or not authorized for this account", false,
                "`cdn` or `api_key` is missing, the key does not belong to the account, or it has been revoked."
            )
        case .timestampOutOfRange:
            (
                "Timestamp outside of the valid range, use UTC and not local time", false,
                "`timestamp` is missing, no integer, or too far from the server's clock; the message ends with the server's time."
            )
        case .signatureFailed:
            (
                "Failed HMAC-SHA256 Signature. Please check your private key", false,
                "`signature` is missing or wrong, or a member name stands twice, so that the text cannot be verified."
            )
        case .unexpectedError:
            (
                "The API encountered an unexpected error", false,
                "The server failed; its log says how. Whether anything was changed is not known."
            )
        case .unauthorized:
            ("Unauthorized Access to API", false, "The API key's rights do not include the command.")
        case .requiredFieldsMissing:
            (
                "One or more required fields are missing", false,
                "The message ends with the fields' names; or the body, its form or its JSON is malformed "
                    + "or beyond the limits."
            )
        case .fieldInvalid:
            (
                "One or more fields are not valid", false,
                "The message names each field and what was expected. An `app` of another account is answered so, too."
            )
        case .accountSuspended:
            ("This account is suspended", false, "The message is the reason the operator gave.")
        case .requestRunning:
            (
                "A request with this signature is running or was cut short; sign it again to run it again", false,
                "The same signed request was received before, and its reply is not known yet (or never will be), or another "
                    + "command has changed what it was about since: the message says which."
            )
        case .unusuallyHighTraffic:
            (
                "Unusually high traffic, please try again in a few minutes", false,
                "Too many failed signatures from this address, or too many questions of the account wait for an answer: HTTP "
                    + "status 429 with `Retry-After`. Or the server cannot store anything now, and the message says so: status 503 with `Retry-After`; nothing was changed."
            )
        case .ticketCreated: ("ScaleEngine Virtual Usher ticket created", true, "`sevu.request` made a ticket.")
        case .ticketFound: ("ScaleEngine Virtual Usher ticket found", true, "`sevu.status` found the ticket.")
        case .ticketRevoked: ("ScaleEngine Virtual Usher ticket revoked", true, "`sevu.revoke` revoked the ticket.")
        case .ticketsListed: ("ScaleEngine Virtual Usher tickets found", true, "`sevu.list` gives tickets.")
        case .ticketUpdated: ("ScaleEngine Virtual Usher ticket updated", true, "`sevu.update` changed the ticket.")
        case .ticketsCreated:
            ("ScaleEngine Virtual Usher tickets created", true, "`sevu.requestmany` made all the tickets.")
        case .sessionsListed: ("Viewing sessions found", true, "`sevu.sessions` gives who is watching.")
        case .sessionEnded: ("Viewing session ended", true, "`sevu.kick` ended it.")
        case .sessionNotFound:
            ("Viewing session not found", false, "The account has no such session on this server; it may have ended.")
        case .ticketNotFound:
            ("ScaleEngine Virtual Usher ticket not found", false, "The account has no ticket with that `key`.")
        case .attemptsListed:
            ("ScaleEngine Virtual Usher ticket attempts found", true, "`sevu.errorlog` listed attempts, or none.")
        case .attemptsCounted:
            (
                "ScaleEngine Virtual Usher unsuccessful tickets attempts found", true,
                "`sevu.errorcount` counted attempts, accepted ones included unless `success` is 0."
            )
        case .streamUserAdded: ("Stream user added", true, "`sevu.addstreamuser` stored the user and the settings.")
        case .streamUsersListed: ("Stream users found", true, "`sevu.liststreamusers` listed users, or none.")
        case .streamUserFound: ("Stream user found", true, "`sevu.retrievestreamuser` found the user.")
        case .streamUserRemoved: ("Stream user removed", true, "`sevu.removestreamuser` removed the user.")
        case .streamUpdated: ("Stream updated", true, "`sevu.updatestream` stored the settings.")
        case .streamUserUpdated:
            ("Stream user updated", true, "`sevu.updatestreamuser` stored the new password.")
        case .streamUserNotFound: ("Stream user not found", false, "The account has no such stream user.")
        case .streamUserExists:
            ("Stream user exists already", false, "The stream has a user of that name; remove it first.")
        case .streamNotFound: ("Stream not found", false, "The account has no settings for such a stream.")
        case .activeStreamsListed: ("Active streams found", true, "`stream.active` listed streams, or none.")
        case .streamDetailsFound: ("Stream found", true, "`stream.details` found the stream.")
        case .streamClosed: ("Stream closed", true, "`stream.close` closed the encoder's connection.")
        case .streamNotActive: ("Stream is not active", false, "No such stream is running.")
        case .pushAdded: ("PushPublish service added", true, "`pushpublish.add` stored the destination.")
        case .pushUpdated: ("PushPublish service updated", true, "`pushpublish.update` stored the changes.")
        case .pushRemoved:
            ("PushPublish service removed", true, "`pushpublish.remove` deleted it; sessions it runs go on.")
        case .pushesListed: ("PushPublish services found", true, "`pushpublish.services` listed services, or none.")
        case .pushConnecting: ("PushPublish session started", true, "`pushpublish.connect` started a session.")
        case .pushNotConnected:
            ("Not connected", false, "Nothing runs under that name or id; the message is `<name> is not connected`.")
        case .pushNotFound: ("PushPublish service not found", false, "The account has no such `push_service_id`.")
        case .pushAlreadyConnected:
            ("PushPublish session is connected already", false, "The stored service is being pushed from that stream.")
        case .pushRefused:
            (
                "PushPublish destination refused", false,
                "The destination is not allowed or cannot be; the message says why."
            )
        case .originLogListed: ("Origin events found", true, "`log.origin` listed events, or none.")
        case .serverReachable: ("Server is reachable", true, "`server.status` reached the server.")
        case .serverNotReachable:
            (
                "Server is not reachable", false,
                "`server.status` was asked about another server; the message names both."
            )
        case .appsListed: ("Applications found", true, "`app.list` listed the applications.")
        case .viewersCounted: ("Viewers counted", true, "`vsn.viewercount` counted viewers, or none.")
        case .viewersListed: ("Viewers found", true, "`viewer.live` or `viewer.livedetailed` listed viewers, or none.")
        case .viewerHistoryListed:
            ("Viewer history found", true, "`vsn.viewerhistorybyname` listed minutes with viewers, or none.")
        case .usageSummarized: ("Usage found", true, "`usage.summary` or `usage.data` summed up a month.")
        case .usageListed:
            (
                "Usage found", true,
                "`usage.all`, `usage.vse`, `video.usage`, `video.cdn`, `video.cdnlong` or `video.servers` listed usage, or none."
            )
        case .usedVideosListed: ("Streams found", true, "`video.streams` listed streams that had viewers, or none.")
        case .appNumbersListed: ("Applications found", true, "`video.getapps` listed the applications.")
        case .diskUsageListed: ("Disk usage found", true, "`disk.usage` listed days.")
        }
    }

    /// Such as `ticketCreated`.
    public var name: String {
        String(describing: self)
    }

    public var message: String { entry.message }

    public var isSuccess: Bool { entry.isSuccess }

    /// The table of the documentation.
    public static var markdownTable: String {
        let rows = allCases.map { code in
            "| \(code.rawValue) | \(code.isSuccess ? "success" : "failure") | \(code.message) | \(code.entry.when) |"
        }
        return (["| code | status | message | when |", "| --- | --- | --- | --- |"] + rows).joined(separator: "\n")
    }
}
