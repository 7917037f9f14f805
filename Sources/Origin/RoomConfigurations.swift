import Basics
import Admission
import Delivery
import Foundation
import HLS
import Live
import Logging
import Media
import NIOCore
import PushPublish
import RTMPServer
import Settings
import TLS
import Usher

// What the rooms are set up with.
extension PlayhouseConfiguration {
    public var admission: AdmissionConfiguration {
        AdmissionConfiguration(
            sessionTimeout: hls.sessionTimeout.timeInterval, defaultProtection: usher.defaultProtection,
            protectedStreams: usher.protected.map(\.description))
    }

    /// What says which country an address is in; nil: nothing does. Nothing is read yet.
    public func countries(logger: Logger) -> CountryDatabase? {
        usher.countryDatabases.isEmpty ? nil : CountryDatabase(paths: usher.countryDatabases, logger: logger)
    }

    var delivery: DeliveryConfiguration {
        DeliveryConfiguration(
            segmenter: SegmenterConfiguration(
                segmentDuration: MediaTime(milliseconds: Int64(hls.segmentDuration.wholeMilliseconds)),
                partDuration: MediaTime(milliseconds: Int64(hls.partDuration.wholeMilliseconds)),
                window: hls.window,
                maximumSegmentDuration: MediaTime(milliseconds: Int64(hls.segmentMaxDuration.wholeMilliseconds)),
                maximumSegmentBytes: hls.segmentMaxBytes),
            transportStreams: hls.mpegts, listsAudioAlone: hls.audioOnly,
            trustedProxies: http.trustedProxies, requiresTrustedProxy: usher.requireTrustedProxy,
            allowedOrigins: hls.corsOrigin.isEmpty ? [] : [hls.corsOrigin],
            thumbnails: ThumbnailConfiguration(
                program: thumbnail.ffmpeg, processes: thumbnail.processes,
                interval: thumbnail.interval.timeAmount, width: thumbnail.width))
    }

    /// hls.js; nil: there is none, or it cannot be read, which keeps nobody else from watching.
    func playerLibrary(logger: Logger) -> ByteBuffer? {
        let isGiven = !player.hlsJS.isEmpty
        let path = isGiven ? player.hlsJS : storage.path + "/hls.js"
        if let data = FileManager.default.contents(atPath: path), !data.isEmpty { return ByteBuffer(bytes: data) }
        if isGiven {
            logger.warning(
                "player.hls_js cannot be read: browsers that cannot play HLS themselves do not play",
                metadata: ["file": "\(path)"])
        }
        return nil
    }

    var httpLimits: HTTPLimits {
        HTTPLimits(
            idleTimeout: http.idleTimeout.timeAmount, headerTimeout: http.headerTimeout.timeAmount,
            bodyTimeout: http.bodyTimeout.timeAmount, sendTimeout: http.sendTimeout.timeAmount,
            maximumBody: limits.body)
    }

    /// The certificates of each listener inside TLS, under the name of the settings that name them.
    public var certificateFiles: [(group: String, files: [CertificateFiles])] {
        var groups: [(group: String, files: [CertificateFiles])] = []
        if https.listen != nil { groups.append(("https", files(https))) }
        if rtmps.listen != nil, rtmps.certificates != https.certificates || rtmps.keys != https.keys {
            groups.append(("rtmps", files(rtmps)))
        } else if rtmps.listen != nil, https.listen == nil {
            groups.append(("https", files(https)))
        }
        return groups
    }

    private func files(_ tls: TLS) -> [CertificateFiles] {
        zip(tls.certificates, tls.keys).map { CertificateFiles(certificate: $0, key: $1) }
    }

    /// The certificates of a listener; blocks while they are read.
    /// - Parameter protocols: what is spoken inside, the dearest first.
    func certificates(
        of tls: TLS, group: String, protocols: [String], logger: Logger
    ) throws(StartFailure) -> ServerCertificates {
        let group = tls.certificates == https.certificates && tls.keys == https.keys ? "https" : group
        do throws(CertificateFinding) {
            return try ServerCertificates(group: group, files: files(tls), protocols: protocols, logger: logger)
        } catch {
            throw StartFailure(description: error.description)
        }
    }

    var pushing: PushConfiguration {
        PushConfiguration(
            allowPrivate: push.allowPrivate, connectTimeout: push.connectTimeout.timeAmount,
            sendTimeout: push.sendTimeout.timeAmount,
            backOff: BackOff.Limits(
                initial: push.retryInitial.timeAmount, maximum: push.retryMax.timeAmount,
                permanent: push.permanentRetry.timeAmount),
            maxPerAccount: push.maxPerAccount)
    }

    var rtmpServer: RTMPServerConfiguration {
        RTMPServerConfiguration(
            handshakeTimeout: rtmp.handshakeTimeout.timeAmount, idleTimeout: rtmp.idleTimeout.timeAmount,
            maximumMessage: rtmp.maxMessage,
            hub: HubSettings(
                reconnectWindow: live.reconnectWindow, takeoverAfter: live.takeoverAfter,
                backupAfter: live.backupAfter, primaryAfter: live.primaryAfter, latency: live.latency,
                ring: WriteRing.Limits(bytes: live.gopBytes),
                slowViewerTimeout: live.slowViewerTimeout))
    }
}

extension ConnectionGate {
    /// - Parameter files: how many files the process may have open.
    convenience init(_ configuration: PlayhouseConfiguration, files: Int, log: LogLimiter) {
        let limits = configuration.limits
        let total = ProcessLimits.connections(limits.connections, files: files)
        // Where the system allows fewer connections the same part of them is reserved, or nothing would be left for viewers.
        let part = Double(total) / Double(max(1, limits.connections))
        self.init(
            total: total, reserved: Int((Double(limits.connectionsReserved ?? 0) * part).rounded(.up)),
            perAddress: limits.connectionsPerAddress,
            exempt: configuration.http.trustedProxies, log: log)
    }
}

extension Duration {
    var timeAmount: TimeAmount {
        .milliseconds(Int64(wholeMilliseconds))
    }
}
