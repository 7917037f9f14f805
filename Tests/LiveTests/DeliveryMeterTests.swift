import Basics
import Live
import Testing

@Suite struct DeliveryMeterTests {
    private func stream(_ name: String, accountID: AccountID = 7) -> DeliveryMeters.Stream {
        DeliveryMeters.Stream(
            accountID: accountID, address: StreamAddress(app: "demo-origin", instance: "live", stream: name))
    }

    private func taken(_ meters: DeliveryMeters) -> [String: [Int64]] {
        var taken: [String: [Int64]] = [:]
        meters.take { stream, hls, rtmp in taken[stream.address.stream] = [hls, rtmp] }
        return taken
    }

    @Test("What is counted on all event loops while it is taken out is taken out once, and all of it")
    func exactness() async {
        let meters = DeliveryMeters()
        let meter = meters.meter(of: stream("show"))
        let perTask = 20_000
        let total = await withTaskGroup(of: Int64.self) { group in
            for number in 0..<4 {
                group.addTask {
                    for _ in 0..<perTask {
                        meter.count(hls: 3, stripe: number)
                        meter.count(rtmp: 2)
                    }
                    return 0
                }
            }
            group.addTask {
                var sum: Int64 = 0
                for _ in 0..<200 {
                    meters.take { sum += $1 + $2 }
                    await Task.yield()
                }
                return sum
            }
            return await group.reduce(0, +)
        }
        let rest = taken(meters)["show"] ?? []
        #expect(total + rest.reduce(0, +) == Int64(4 * perTask * 5))
        #expect(taken(meters).isEmpty)
    }

    @Test("A meter is one and the same while anybody holds it, and let go of with all it had counted")
    func life() {
        let meters = DeliveryMeters()
        var meter: DeliveryMeter? = meters.meter(of: stream("show"))
        #expect(meter === meters.meter(of: stream("show")))
        #expect(meter !== meters.meter(of: stream("show", accountID: 8)))
        meter?.count(hls: 5, stripe: 1)
        meter?.countConnections(rtmp: 1)
        meter?.countConnections(http: 2)
        #expect(taken(meters) == ["show": [5, 0]])
        #expect(meters.connections == [stream("show"): .init(rtmp: 1, http: 2)])
        meter?.count(hls: -2, stripe: 3)
        meter?.count(rtmp: 9)
        meter?.countConnections(rtmp: -1)
        meter?.countConnections(http: -2)
        meter = nil
        #expect(meters.connections == [stream("show"): .init()])
        #expect(taken(meters) == ["show": [-2, 9]])
        #expect(meters.connections.isEmpty)
    }
}
