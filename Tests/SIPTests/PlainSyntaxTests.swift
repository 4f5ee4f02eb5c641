import Primitives
import Testing

@testable import SIP

/// What the plain reader takes, libosip2 with the checks around it reads alike; what it leaves, it leaves whole.
@Suite struct PlainSyntaxTests {
    private static let pieces = [
        "sip:", "SIP:", "sips:", "alice", "a", "95533", "+4912", "@", "10.0.0.1", "host.example", ".", ":", "5060", "0",
        "65535", "65536", "123456", ";", "lr", "transport=udp", "transport=TCP", "t", "=", "x=y-1._~", "x=", "?", "a=b",
        "<", ">", "\"", "Bob", "\"Bob B.\"", "\"\"", "\\", " ", "tag=1", ";tag=z9", ";TAG=Q", "%41", "[::1]", ",", "&",
        "SIP/2.0/UDP ", "SIP/2.0/TCP ", "SIP/2.0/TLS ", "branch=z9hG4bK1", ";branch=2", ";rport", ";rport=5", "rport=0",
        ";received=10.0.0.9", "received=x", ";maddr=1", "é", "'", "`", "(", "#",
    ]
    private static let frames: [([String], String)] = [
        (["<sip:", ">"], ""), (["<sip:alice@", ">;tag=1"], ""), (["SIP/2.0/UDP ", ";branch=z9hG4bK"], ""),
        (["SIP/2.0/TCP 10.0.0.1:5060", ""], ""), (["sip:", ""], ""), (["", ""], ""), (["\"", "\" <sip:a@b>"], ""),
    ]

    private func samples(_ seed: UInt64) -> [[UInt8]] {
        var random = SeededRandom(seed: seed)
        return (0..<20_000).map { _ in
            let frame = Self.frames[Int.random(in: 0..<Self.frames.count, using: &random)].0
            let middle = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                Self.pieces[Int.random(in: 0..<Self.pieces.count, using: &random)]
            }
            return Array((frame[0] + middle.joined() + frame[1]).utf8)
        }
    }

    /// Both readers over the same bytes, which end as a head does.
    private func both<Value: Equatable>(
        _ sample: [UInt8], plain: (Range<Int>, UnsafeRawBufferPointer) -> Value?,
        whole: (Range<Int>, UnsafeRawBufferPointer, UnsafeMutableRawPointer) -> Value?
    ) -> (plain: Value?, whole: Value?) {
        let bytes = sample + [13, 10]
        return bytes.withUnsafeBytes { buffer in
            let text = UnsafeMutableRawPointer.allocate(byteCount: bytes.count + 1, alignment: 8)
            defer { text.deallocate() }
            text.copyMemory(from: buffer.baseAddress ?? UnsafeRawPointer(text), byteCount: bytes.count)
            let range = HeaderSyntax.trim(0..<sample.count, in: buffer)
            return (plain(range, buffer), whole(range, buffer, text))
        }
    }

    @Test(arguments: 1...5) func requestURIsAreReadAlike(seed: UInt64) {
        var taken = 0
        for sample in samples(seed) {
            let (plain, whole) = both(sample) {
                PlainSyntax.uri($0, of: $1)
            } whole: {
                try? ValueSyntax.wholeRequestURI($0, of: $1, text: $2)
            }
            guard let plain else { continue }
            taken += 1
            #expect(plain == whole, "\(String(decoding: sample, as: UTF8.self))")
        }
        #expect(taken > 100)
    }

    @Test(arguments: 1...5) func addressesAreReadAlike(seed: UInt64) {
        var taken = 0
        for sample in samples(seed) {
            let (plain, whole) = both(sample) {
                PlainSyntax.address($0, of: $1)
            } whole: {
                ValueSyntax.wholeAddress($0, of: $1, text: $2)
            }
            guard let plain else { continue }
            taken += 1
            #expect(plain == whole, "\(String(decoding: sample, as: UTF8.self))")
        }
        #expect(taken > 100)
    }

    @Test(arguments: 1...5) func viasAreReadAlike(seed: UInt64) {
        var taken = 0
        for sample in samples(seed) {
            let (plain, whole) = both(sample) {
                PlainSyntax.via($0, of: $1)
            } whole: {
                try? ValueSyntax.wholeVia($0, of: $1, text: $2)
            }
            guard let plain else { continue }
            taken += 1
            #expect(plain == whole, "\(String(decoding: sample, as: UTF8.self))")
        }
        #expect(taken > 100)
    }

    @Test func usualValuesAreTaken() {
        func taken(_ text: String, _ read: (Range<Int>, UnsafeRawBufferPointer) -> Bool) -> Bool {
            Array(text.utf8).withUnsafeBytes { read(0..<$0.count, $0) }
        }
        for text in [
            "<sip:95533@10.0.0.1:5060>", "\"Bob\" <sip:bob@host;transport=tcp;lr>;tag=a.b-1", "sipp <sip:a@b>",
        ] {
            #expect(taken(text) { PlainSyntax.address($0, of: $1) != nil }, "\(text)")
        }
        #expect(taken("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-1;rport") { PlainSyntax.via($0, of: $1) != nil })
        #expect(taken("sip:95533@10.0.0.1") { PlainSyntax.uri($0, of: $1) != nil })
    }
}
