import Primitives
import Session
import Testing

@testable import tandem

/// RFC 4180 §2.6: "Fields containing line breaks (CRLF), double quotes, and commas should be enclosed in double-quotes."
@Suite struct RecordSheetTests {
    private func row(from caller: String) throws -> Substring {
        let id = try #require(SessionID("8d5ac1f0-9c5d-4a51-9f27-0a8e5d2f8f10"))
        let record = CallRecord(id: id, line: "9196", from: caller, centers: ["center-a"], started: .epoch)
        let text = RecordSheet.text([record])
        let start = try #require(text.range(of: "9196,")).upperBound
        return text[start..<(try #require(text.range(of: ",center-a")).lowerBound)]
    }

    @Test(arguments: [
        ("95", "95"), ("a,b", "\"a,b\""), ("a\nb", "\"a\nb\""), ("a\rb", "\"a\rb\""), ("a\r\nb", "\"a\r\nb\""),
        ("a\"b", "\"a\"\"b\""), ("=1+1", "'=1+1"), ("+8610", "+8610"), ("+cmd", "'+cmd"),
    ])
    func fieldsAreOneField(_ caller: String, _ field: String) throws { #expect(try row(from: caller) == field) }
}
