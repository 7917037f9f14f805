import Testing

@testable import Delivery

@Suite struct PresentedTicketTests {
    @Test(
        "key and pass are read from a query among other parameters",
        arguments: [
            (nil, nil, nil),
            ("", nil, nil),
            ("key=k&pass=p", "k", "p"),
            ("a=1&pass=p&key=k&b=2", "k", "p"),
            ("key=k%7Cl&pass=a+b%2B%20c%3D%3D==", "k|l", "a+b+ c===="),
            ("key=&pass=", "", ""),
            ("key=1&key=2", "1", nil),
            ("key", nil, nil),
            ("KEY=k", nil, nil),
            ("key=%zz&pass=%FF", nil, nil),
            ("key=%zz&key=k", "k", nil),
            ("&&=&key=k&", "k", nil),
            ("pass=" + String(repeating: "x", count: 513), nil, nil),
        ] as [(String?, String?, String?)])
    func queries(query: String?, key: String?, pass: String?) {
        let ticket = PresentedTicket(query: query.map { $0[...] })
        #expect(ticket.key == key)
        #expect(ticket.pass == pass)
    }
}
