import Testing

@testable import Cryptography

@Suite struct CryptographyTests {
    /// FIPS 180-4's examples, and one of several blocks.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (String(repeating: "a", count: 1000), "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"),
    ])
    func digestsAreThoseOfTheStandard(_ text: String, _ digest: String) {
        #expect(SHA256.hexadecimal(of: Array(text.utf8)) == digest)
    }

    /// RFC 4231 §4.2, §4.3, §4.4 and §4.7 (a key that is longer than a block).
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            [UInt8](repeating: 0xAA, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func codesAreThoseOfTheStandard(_ key: [UInt8], _ message: [UInt8], _ code: String) {
        let key = HMACKey(key)
        #expect(hexadecimal(key.code(of: message)) == code)
        #expect(hexadecimal(key.code(of: message)) == code, "a key serves more than once")
        for length in 0...message.count {
            let parts = message[length...].withUnsafeBytes { key.code(of: Array(message[..<length]), followedBy: $0) }
            #expect(hexadecimal(parts) == code)
        }
    }

    /// One key serves every thread.
    @Test func codesOfOneKeyOnManyThreads() async {
        let key = HMACKey(Array("a key".utf8))
        let messages = (0..<64).map { Array("message \($0)".utf8) }
        let codes = messages.map { key.code(of: $0) }
        await withTaskGroup(of: Bool.self) { group in
            for (message, code) in zip(messages, codes) {
                group.addTask { (0..<200).allSatisfy { _ in key.code(of: message) == code } }
            }
            for await isEqual in group { #expect(isEqual) }
        }
    }

    @Test func emptyMessageHasACode() {
        #expect(HMACKey([1]).code(of: []).count == SHA256.size)
        #expect(HMACKey([1]).code(of: []) != HMACKey([2]).code(of: []))
    }

    @Test func keyIsNotPrinted() {
        let key = HMACKey(Array("top secret".utf8))
        var text = ""
        dump(key, to: &text)
        #expect(!"\(key) \(String(reflecting: key)) \(text)".contains("secret"))
    }

    @Test(arguments: [([], [], true), ([1, 2], [1, 2], true), ([1, 2], [1, 3], false), ([1], [1, 2], false)])
    func comparison(_ one: [UInt8], _ other: [UInt8], isEqual: Bool) {
        #expect(areEqualInConstantTime(one, other) == isEqual)
    }
}
