import Glibc
import Logging
import Testing

@testable import Telemetry

struct LineLogHandlerTests {
    /// What a logger with one of these handlers writes.
    private func written(level: Logger.Level = .info, _ body: (inout Logger) -> Void) -> String {
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        let sink = LogSink(descriptor: ends[1])
        var logger = Logger(label: "test") { _ in
            LineLogHandler(node: "center-a", level: level, sink: sink) {
                timespec(tv_sec: 1_790_000_000, tv_nsec: 7_900_000)
            }
        }
        body(&logger)
        sink.flush()
        close(ends[1])
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = read(ends[0], &bytes, bytes.count)
        close(ends[0])
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    @Test func lineHasTimeLevelNodeMessageAndSortedMetadata() {
        let text = written { logger in
            logger[metadataKey: "session"] = "s1"
            logger.info("call ended", metadata: ["end": "caller", "call-id": "a@b"])
        }
        #expect(text == "2026-09-21T14:13:20.007Z info center-a call ended call-id=a@b end=caller session=s1\n")
    }

    @Test func levelsBelowTheProfilesAreNotWritten() {
        #expect(written(level: .warning) { $0.info("x") } == "")
    }

    @Test func lineFromTheNetworkCannotForgeAnother() {
        let text = written { $0.info("bad\nrequest", metadata: ["from": "a\r\n2026 info x", "empty": ""]) }
        #expect(text.split(separator: "\n").count == 1)
        #expect(text.hasSuffix(#"bad\nrequest empty="" from="a\r\n2026 info x""# + "\n"))
    }

    @Test func secretsAreNotWritten() {
        let text = written { $0.info("login", metadata: ["pin": "246810", "Authorization": "Bearer abc", "try": "1"]) }
        #expect(text.hasSuffix("login Authorization=•••• pin=•••• try=1\n"))
    }

    @Test func longLineIsCut() {
        let text = written { $0.info("\(String(repeating: "x", count: 100_000))") }
        #expect(text.utf8.count < LineLogHandler.lineLimit)
        #expect(text.hasSuffix("…\n"))
    }

    /// A pipe that nobody reads must not stop a loop: lines over the buffer are counted, not waited for.
    @Test func hangingReaderDoesNotStopTheWriter() {
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        let sink = LogSink(descriptor: ends[1])
        let line = String(repeating: "x", count: 1023)
        for _ in 0..<4096 { sink.append(line) }
        #expect(sink.lost > 0)
        #expect(sink.lost < 4096)
        signal(SIGPIPE, SIG_IGN)
        close(ends[0])
        sink.flush()
        close(ends[1])
    }

    @Test func fileIsAppendedAndReopened() throws {
        let path = "/tmp/tandem-log-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        defer { unlink(path) }
        let sink = try #require(LogSink(path: path))
        sink.append("one")
        sink.flush()
        rename(path, path + ".1")
        defer { unlink(path + ".1") }
        sink.reopen()
        sink.append("two")
        sink.flush()
        #expect(contents(path + ".1") == "one\n")
        #expect(contents(path) == "two\n")
        #expect(LogSink(path: "/nonexistent/x.log") == nil)
    }

    /// `tandem up` gives its nodes a file as standard error.
    @Test func borrowedDescriptorOfAFileFollowsTheRotation() throws {
        let path = "/tmp/tandem-log-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        defer { unlink(path) }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o640)
        let sink = LogSink(descriptor: descriptor)
        sink.append("one")
        sink.flush()
        rename(path, path + ".1")
        defer { unlink(path + ".1") }
        sink.reopen()
        sink.append("two")
        sink.flush()
        #expect(contents(path + ".1") == "one\n")
        #expect(contents(path) == "two\n")
        // It is still its owner's to close.
        #expect(close(descriptor) == 0)
    }

    private func contents(_ path: String) -> String {
        let file = open(path, O_RDONLY)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(file, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
