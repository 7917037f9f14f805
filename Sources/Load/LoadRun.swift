import Basics
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import RTMP

/// A load while it runs: everybody is on one event loop, and so on one core. For more, run it more than once.
///
/// `@unchecked Sendable`: everything mutable is touched on the event loop alone; the entry points go there.
public final class LoadRun: @unchecked Sendable {
    private let plan: LoadPlan
    private let group: MultiThreadedEventLoopGroup
    private let loop: any EventLoop
    private let tls: NIOSSLContext?
    private let report: @Sendable (LoadReport) -> Void
    private let done: EventLoopPromise<LoadReport>
    private let addresses: [String: SocketAddress]
    /// Where pushes come to.
    private var listener: (any Channel)?
    private var members: [(member: any LoadMember, group: String)] = []
    private var meters: [String: LoadMeter] = [:]
    private var sights: [String: SharedSight] = [:]
    /// Answers that are whole, to be looked at when everything that has come has been read.
    private var completed: [(exchange: HTTPExchange, viewer: HTTPViewer)] = []
    private var willFinish = false
    private var limits: OwnLimits
    private let begun: NIODeadline
    private var measuringSince: NIODeadline?
    private var lastReport: NIODeadline
    private var isEnding = false
    private var nextStart: NIODeadline
    private var sweptTo = 0
    /// Wall clock less steady clock, in microseconds.
    private let dateOffset: Int64

    private static let tick = TimeAmount.milliseconds(10)
    /// A sweep goes over all in so many ticks.
    private static let ticksOfSweep = 5

    /// Runs it to its end; once.
    public func run() async throws -> LoadReport {
        loop.execute { self.begin() }
        let result = try await done.futureResult.get()
        try? await group.shutdownGracefully()
        return result
    }

    /// Ends it now, with what was measured so far. May be called from anywhere.
    public func stop() {
        loop.execute { self.end() }
    }

    /// - Parameter report: called once a second on the load's own event loop, so it may not take long.
    /// - Throws: ``LoadProblem`` when there is no room for so many connections, or nobody has the server's name.
    public init(_ plan: LoadPlan, report: @escaping @Sendable (LoadReport) -> Void = { _ in }) throws {
        try Self.makeRoom(for: plan)
        addresses = try Self.addresses(of: plan)
        var settings = TLSConfiguration.makeClientConfiguration()
        if plan.trustsAnyCertificate { settings.certificateVerification = .none }
        tls = plan.targets.contains { $0.server.isTLS } ? try NIOSSLContext(configuration: settings) : nil
        self.plan = plan
        self.report = report
        for target in plan.targets {
            meters[target.group] = LoadMeter()
            sights[target.text] = SharedSight()
        }
        let now = NIODeadline.now()
        (begun, lastReport, nextStart) = (now, now, now)
        dateOffset =
            Int64((Date().timeIntervalSince1970 * 1e6).rounded()) - Int64(clamping: now.uptimeNanoseconds / 1_000)
        limits = OwnLimits(now: now, schedule: OwnLimits.Schedule())
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        loop = group.next()
        done = loop.makePromise()
    }

    private static func addresses(of plan: LoadPlan) throws -> [String: SocketAddress] {
        var addresses: [String: SocketAddress] = [:]
        for server in plan.targets.map(\.server) where addresses["\(server.host):\(server.port)"] == nil {
            do {
                addresses["\(server.host):\(server.port)"] = try SocketAddress.makeAddressResolvingHost(
                    server.host, port: server.port)
            } catch {
                throw LoadProblem("\(server.host) has no address: \(SystemError.text(of: error))")
            }
        }
        return addresses
    }

    /// Each server's connections count for its ports, all of them for the files.
    private static func makeRoom(for plan: LoadPlan) throws {
        var perServer: [String: Int] = [:]
        for index in 0..<plan.count {
            let target = plan.targets[index % plan.targets.count]
            perServer["\(target.server.host):\(target.server.port)", default: 0] += target.connections
        }
        try OwnLimits.makeRoom(for: perServer.values.reduce(0, +))
        guard !plan.receives else { return }
        for count in perServer.values { try OwnLimits.checkPorts(for: count) }
    }

    func clock() -> NIODeadline { .now() }

    /// Microseconds since 1970.
    func date(_ moment: NIODeadline) -> Int64 {
        Int64(clamping: moment.uptimeNanoseconds / 1_000) + dateOffset
    }

    // MARK: Time

    private func begin() {
        limits = OwnLimits(now: clock(), schedule: .current())
        tick(due: clock() + Self.tick)
        for target in plan.targets {
            if case .receiver(let host, let port) = target.kind { listen(on: host, port, target) }
        }
    }

    private func tick(due: NIODeadline) {
        loop.assumeIsolated().scheduleTask(deadline: due) {
            let now = self.clock()
            self.limits.add(lag: now - due)
            self.step(now)
            if !self.isEnding { self.tick(due: max(due, now) + Self.tick) }
        }
    }

    private func step(_ now: NIODeadline) {
        startWhoIsDue(now)
        let share = (members.count + Self.ticksOfSweep - 1) / Self.ticksOfSweep
        for _ in 0..<share {
            if sweptTo >= members.count { sweptTo = 0 }
            members[sweptTo].member.sweep(now)
            sweptTo += 1
        }
        let waitsNoMore = members.allSatisfy { $0.member.state != .starting } && members.count == plan.count
        if measuringSince == nil, waitsNoMore || now - begun > plan.patience { beginMeasurement(now) }
        if now - lastReport >= .seconds(1) {
            let status = status(now, isFinal: false)
            lastReport = now
            report(status)
        }
        let isOver = !plan.receives && members.count == plan.count && members.allSatisfy { $0.member.state.isOver }
        if let since = measuringSince, isOver || plan.duration.map({ now - since >= $0 }) ?? false { end() }
    }

    private func beginMeasurement(_ now: NIODeadline) {
        measuringSince = now
        lastReport = now
        for meter in meters.values { meter.beginMeasurement() }
        limits.beginMeasurement(now: now, schedule: .current())
        report(status(now, isFinal: false))
    }

    private func end() {
        guard !isEnding else { return }
        let now = clock()
        for entry in members { entry.member.sweep(now) }
        let last = status(now, isFinal: true)
        isEnding = true
        for entry in members { entry.member.leave() }
        listener?.close(promise: nil)
        done.succeed(last)
    }

    private func startWhoIsDue(_ now: NIODeadline) {
        guard members.count < plan.count, !plan.receives else { return }
        var onTheWay = members.reduce(0) { $0 + ($1.member.state == .starting ? 1 : 0) }
        while members.count < plan.count, onTheWay < plan.mostOnTheWay, nextStart <= now {
            start(members.count)
            onTheWay += 1
            nextStart = max(nextStart, begun) + .nanoseconds(plan.ramp.nanoseconds / Int64(plan.count))
        }
    }

    private func start(_ index: Int) {
        let target = plan.targets[index % plan.targets.count]
        guard let meter = meters[target.group], let sight = sights[target.text] else { return }
        meter.started += 1
        switch plan.target(of: index) {
        case .hlsViewer(let address): watch(address, isDASH: false, target, sight, meter)
        case .dashViewer(let address): watch(address, isDASH: true, target, sight, meter)
        case .rtmpViewer(let url):
            start(RTMPMember(url: url, recording: nil, run: self, meter: meter), url, target.group)
        case .publisher(let url):
            start(RTMPMember(url: url, recording: plan.recording, run: self, meter: meter), url, target.group)
        case .receiver: break
        }
    }

    private func watch(
        _ address: HTTPAddress, isDASH: Bool, _ target: LoadTarget, _ sight: SharedSight, _ meter: LoadMeter
    ) {
        let viewer = HTTPViewer(
            address: address, isDASH: isDASH, wantsLowLatency: plan.wantsLowLatency, sight: sight, run: self,
            meter: meter)
        members.append((viewer, target.group))
        viewer.pump(clock())
    }

    private func start(_ member: RTMPMember, _ url: RTMPURL, _ group: String) {
        members.append((member, group))
        connect(to: url.host, url.port, tls: url.isTLS, handler: member) { member.end($0) }
    }

    // MARK: Connections

    /// Opens a connection with this handler.
    /// - Parameter failed: called with a sentence when there is none.
    func connect(
        to host: String, _ port: Int, tls isTLS: Bool, handler: some ChannelInboundHandler & Sendable,
        failed: @escaping (String) -> Void
    ) {
        guard !isEnding, let address = addresses["\(host):\(port)"] else { return failed("there is no such server") }
        let tls = isTLS ? tls : nil
        ClientBootstrap(group: loop)
            .connectTimeout(.seconds(60))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: IPAddress(host) == nil ? host : nil))
                    }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(to: address)
            .assumeIsolated()
            .whenFailure { error in
                if let error = error as? IOError { self.limits.couldNotConnect(error.errnoCode) }
                failed("no connection: \(SystemError.text(of: error))")
            }
    }

    /// Waits for pushes.
    private func listen(on host: String, _ port: Int, _ target: LoadTarget) {
        guard let meter = meters[target.group].map({ NIOLoopBound($0, eventLoop: loop) }) else { return }
        ServerBootstrap(group: loop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 1_024)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(PushReceiver(run: self, meter: meter.value))
                }
            }
            .bind(host: host, port: port)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel): self.listener = channel
                case .failure(let error):
                    self.done.fail(LoadProblem("\(target.text.cut()): \(SystemError.text(of: error))"))
                    self.isEnding = true
                }
            }
    }

    /// A push has come. One that comes again takes the place of one that has gone.
    func came(_ push: PushReceiver, meter: LoadMeter) {
        guard let group = meters.first(where: { $0.value === meter })?.key else { return }
        if members.count < plan.count {
            meter.started += 1
            members.append((push, group))
        } else if let place = members.firstIndex(where: { $0.member.state.isOver }) {
            members[place] = (push, group)
        } else {
            meter.count(error: "more pushes came than were waited for")
            push.leave()
        }
    }

    /// An answer is whole. What comes of it waits until everything that has come has been read, so that what is measured is not
    /// how long this program takes for its own next requests.
    func completed(_ exchange: HTTPExchange, of viewer: HTTPViewer) {
        viewer.note(exchange)
        completed.append((exchange, viewer))
        guard !willFinish else { return }
        willFinish = true
        loop.assumeIsolated().execute { self.finishCompleted() }
    }

    private func finishCompleted() {
        willFinish = false
        let all = completed
        completed.removeAll(keepingCapacity: true)
        let now = clock()
        for (exchange, viewer) in all { viewer.finish(exchange, now: now) }
    }

    /// A member is no more.
    /// - Parameter problem: nil when it had everything.
    func ended(_ member: any LoadMember, problem: String?, meter: LoadMeter) {
        guard !isEnding else { return }
        if let problem {
            meter.gone += 1
            meter.count(error: problem)
        } else {
            meter.finished += 1
        }
    }

    // MARK: Reports

    private func status(_ now: NIODeadline, isFinal: Bool) -> LoadReport {
        limits.look(now: now, schedule: .current())
        var groups: [LoadGroupReport] = []
        var worstWait: TimeAmount?
        for (name, meter) in meters.sorted(by: { $0.key < $1.key }) {
            var group = LoadGroupReport(
                group: name, wanted: 0, started: meter.started, running: 0, lowLatency: 0, finished: meter.finished,
                gone: meter.gone, bytes: meter.bytes, bitsPerSecond: 0, answers: meter.answers, stalls: 0,
                stalledSeconds: 0, stalling: 0, start: LoadDelays(meter.start), wait: LoadDelays(meter.wait),
                request: LoadDelays(meter.request), behind: LoadDelays(meter.behind), errors: meter.errors)
            group.wanted = (0..<plan.count).count { plan.targets[$0 % plan.targets.count].group == name }
            var stalled = TimeAmount.zero
            for (member, _) in members.lazy.filter({ $0.group == name }) {
                group.stalls += member.stalls
                stalled = stalled + member.stalledTime
                guard member.state == .running else { continue }
                group.running += 1
                if member.isLowLatency { group.lowLatency += 1 }
                if member.isStalled { group.stalling += 1 }
            }
            group.stalledSeconds = stalled.milliseconds / 1_000
            let since = isFinal ? measuringSince ?? begun : lastReport
            group.bitsPerSecond = meter.bitsPerSecond(over: now - since, isFinal: isFinal)
            if let wait = meter.wait.quantile(0.99) { worstWait = max(worstWait ?? .zero, wait) }
            groups.append(group)
        }
        return LoadReport(
            seconds: measuringSince.map { (now - $0).milliseconds / 1_000 } ?? -((now - begun).milliseconds / 1_000),
            groups: groups, own: limits.report(wait: worstWait))
    }
}
