import FoundationEssentials
import Glibc
import HTTPKit
import Testing

struct WebValueTests {
    private struct Sample: Codable, Equatable {
        var at: Date
        @NullWhenUnknown var from: String?
    }

    @Test func timesHaveMillisecondsAndUnknownIsNull() throws {
        let sample = Sample(at: Date(timeIntervalSince1970: 1_790_000_000.25), from: nil)
        let bytes = try WebJSON.encode(sample)
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"at":"2026-09-21T14:13:20.250Z","from":null}"#)
        #expect(try WebJSON.decode(Sample.self, from: bytes) == sample)
        #expect(
            try WebJSON.decode(Sample.self, from: Array(#"{"at":"2026-09-21T14:13:20Z"}"#.utf8))
                == Sample(at: Date(timeIntervalSince1970: 1_790_000_000), from: nil))
        #expect(throws: DecodingError.self) {
            _ = try WebJSON.decode(Sample.self, from: Array(#"{"at":"yesterday"}"#.utf8))
        }
    }

    @Test func tokenIsMadeOnceAndReadableByItsOwnerOnly() throws {
        let path = "/tmp/tandem-token-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        defer { unlink(path) }
        let token = try BearerToken.load(orMakeAt: path)
        #expect(try BearerToken.load(orMakeAt: path).authorization == token.authorization)
        #expect(token.authorization.utf8.count == "Bearer ".utf8.count + 64)
        var info = stat()
        #expect(stat(path, &info) == 0)
        #expect(info.st_mode & 0o777 == 0o600)
        #expect(chmod(path, 0o640) == 0)
        let error = #expect(throws: TokenFileError.self) { _ = try BearerToken.load(orMakeAt: path) }
        #expect(error?.reason == "it may be read by others; run: chmod 600 \(path)")
    }

    @Test func unusableTokenFileIsSaidPlainly() throws {
        let error = #expect(throws: TokenFileError.self) { _ = try BearerToken.load(orMakeAt: "/nonexistent/token") }
        #expect(error?.description == "/nonexistent/token: No such file or directory")
        #expect(BearerToken("short") == nil)
        #expect(BearerToken("with a space in the middle") == nil)
    }

    @Test func tokenIsNotPrinted() throws {
        let token = try #require(BearerToken("0123456789abcdef"))
        #expect("\(token)" == "••••")
        #expect(String(reflecting: token) == "••••")
        var dumped = ""
        dump(token, to: &dumped)
        #expect(!dumped.contains("0123"))
    }
}
