import Primitives
import Testing

struct SecretDigitsTests {
    @Test func noWayOfPrintingShowsADigit() throws {
        let secret = try #require(SecretDigits("246810"))
        var dumped = ""
        dump(secret, to: &dumped)
        for text in [
            "\(secret)", String(reflecting: secret), dumped, "\([secret])", "\(Mirror(reflecting: secret).children)",
        ] {
            #expect(!text.contains("2"), "\(text)")
        }
    }

    @Test func onlyDigitsUpToTheLimitAreKept() {
        #expect(SecretDigits("12a4") == nil)
        #expect(SecretDigits("１２") == nil)
        #expect(SecretDigits(String(repeating: "1", count: SecretDigits.limit + 1)) == nil)
        let secret = SecretDigits()
        for _ in 0..<SecretDigits.limit { #expect(secret.append(49)) }
        #expect(!secret.append(49))
        #expect(!secret.append(42))
        #expect(secret.count == SecretDigits.limit)
    }

    @Test func wipingForgets() throws {
        let secret = try #require(SecretDigits("1234"))
        #expect(secret.withBytes { Array($0) } == Array("1234".utf8))
        secret.wipe()
        #expect(secret.count == 0)
        #expect(secret.withBytes { $0.count } == 0)
    }
}
