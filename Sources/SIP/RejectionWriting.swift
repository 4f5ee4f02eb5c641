import Primitives

extension MessageWriter {
    /// The answer to a request that could not be parsed but whose response headers could be read (§8.2.6.2).
    ///
    /// - Parameters:
    ///   - problem: its words become the reason phrase.
    ///   - source: as for `response(to:)`.
    public static func response(
        to rejected: RejectedRequest, problem: SIPParseError.Problem, toTag: String, source: Endpoint
    ) -> [UInt8] {
        rejected.bytes.withUnsafeBytes { bytes in
            Rejected(rejected: rejected, bytes: bytes, problem: problem, toTag: toTag, source: source).wireBytes()
        }
    }

    private struct Rejected: WireWritable {
        let rejected: RejectedRequest
        let bytes: UnsafeRawBufferPointer
        let problem: SIPParseError.Problem
        let toTag: String
        let source: Endpoint

        func write(to sink: inout some ByteSink) {
            sink.put("SIP/2.0 ")
            sink.put(decimal: problem.status)
            sink.put(byte: 32)
            sink.put(text: problem.description)
            sink.putLineEnd()
            var isTopVia = true
            for field in rejected.fields {
                switch field.name {
                case .via where isTopVia:
                    // Whatever sent-by says: nobody has read it.
                    ViaStamp(value: field.value, in: bytes, sentBy: nil, source: source).writeLine(field, to: &sink)
                    isTopVia = false
                case .to where !rejected.hasToTag:
                    sink.put(UnsafeRawBufferPointer(rebasing: bytes[field.line.lowerBound..<field.value.upperBound]))
                    sink.put(";tag=")
                    sink.put(text: toTag)
                    sink.putLineEnd()
                default: sink.put(UnsafeRawBufferPointer(rebasing: bytes[field.line]))
                }
            }
            sink.putBody(nil)
        }
    }
}
