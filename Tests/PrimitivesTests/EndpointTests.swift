import Primitives
import Testing

struct EndpointTests {
    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("::", "::"),
        ("::1", "::1"), ("[::1]", "::1"), ("2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"),
        ("FF01::101", "ff01::101"), ("::ffff:192.0.2.1", "::ffff:c000:201"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("fe80::", "fe80::"),
    ])
    func addressesAreReadAndWrittenCanonically(text: String, canonical: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == canonical)
        #expect(IPAddress(canonical) == address)
    }

    @Test(arguments: [
        "", "127.0.0", "127.0.0.1.1", "256.0.0.1", "1.2.3.", ".1.2.3", "1..2.3", "0001.2.3.4", "a.b.c.d", "127.0.0.1 ",
        ":", ":::", "1::2::3", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7", "12345::", "g::", "[127.0.0.1]", "::1.2.3", "-1::",
        "1:2:3:4:5:6:7:8::",
    ])
    func whatIsNoAddressIsRefused(text: String) { #expect(IPAddress(text) == nil) }

    @Test func endpointsNeedAPortAndBracketsAroundIPv6() {
        #expect(Endpoint("127.0.0.1:5060")?.description == "127.0.0.1:5060")
        #expect(Endpoint("[::1]:5060")?.description == "[::1]:5060")
        for text in ["127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:5060", ":5060", "host:1"] {
            #expect(Endpoint(text) == nil, "\(text)")
        }
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("0.0.0.0/0", "203.0.113.9", true),
        ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.8", false), ("2001:db8::/32", "2001:db8:1::1", true),
        ("2001:db8::/32", "2001:db9::1", false), ("2001:db8::1:0/112", "2001:db8::1:ffff", true),
        ("2001:db8::1:0/112", "2001:db8::2:0", false), ("::/0", "::1", true), ("::/0", "127.0.0.1", false),
    ])
    func blocksHoldTheirAddressesAndNoOthers(block: String, address: String, isInside: Bool) throws {
        #expect(try #require(CIDR(block)).contains(try #require(IPAddress(address))) == isInside)
    }

    @Test(arguments: ["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0/8", "::/129", "/8"])
    func whatIsNoBlockIsRefused(text: String) { #expect(CIDR(text) == nil) }
}
