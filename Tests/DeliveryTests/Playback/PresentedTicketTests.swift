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

    @Test(
        "A signed token is read from the query, or from a cookie",
        arguments: [
            ("hdnea=exp=1~acl=/*~hmac=00&key=k", [], "hdnea=exp=1~acl=/*~hmac=00", nil),
            ("a=b&hdnea=exp%3D1%7Ehmac=00", [], "hdnea=exp=1~hmac=00", nil),
            ("hdntl=exp=1", [], nil, nil),
            ("", ["hdntl=exp=1~hmac=00"], nil, "hdntl=exp=1~hmac=00"),
            ("", ["a=b; hdntl=x", "c=d;hdnea=y; hdnea=z"], nil, "hdnea=y"),
            ("hdnea=q", ["hdnea=exp%3D1"], "hdnea=q", "hdnea=exp=1"),
            ("", ["xhdnea=1; hdnea"], nil, nil),
            ("hdnea=" + String(repeating: "x", count: 4_097), [String(repeating: "hdnea=x;", count: 2_000)], nil, nil),
        ] as [(String, [String], String?, String?)])
    func tokens(query: String, cookies: [String], token: String?, cookie: String?) {
        let ticket = PresentedTicket(query: query[...], cookies: cookies)
        #expect(ticket.token == token)
        #expect(ticket.cookie == cookie)
    }
}
