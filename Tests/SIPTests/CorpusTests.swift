import Foundation
import SIP
import Testing

struct CorpusTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus")

    static func bytes(of name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appending(path: "\(name).sip")))
    }

    @Test(arguments: Corpus.cases)
    func eachMessageMeetsItsVerdict(entry: Corpus.Case) throws {
        let bytes = try CorpusTests.bytes(of: entry.name)
        do {
            _ = try MessageParser().parse(bytes, transport: entry.transport)
            #expect(entry.verdict == .accept)
        } catch {
            #expect(entry.verdict == (error.status.map { .reject($0) } ?? .drop), "\(error.problem)")
        }
    }

    @Test func everyFileIsInTheTable() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: CorpusTests.folder.path)
        let names = files.filter { $0.hasSuffix(".sip") }.map { String($0.dropLast(4)) }
        #expect(Set(names) == Set(Corpus.cases.map(\.name)))
        #expect(names.count >= 60)
    }

    /// The answer to a message that could not be parsed is itself a message (RFC 3261 §8.2.6).
    @Test(arguments: Corpus.cases)
    func refusalsParse(entry: Corpus.Case) throws {
        guard case .reject(let status) = entry.verdict else { return }
        let bytes = try CorpusTests.bytes(of: entry.name)
        let parser = MessageParser()
        do {
            _ = try parser.parse(bytes, transport: entry.transport)
        } catch {
            let answer = try #require(MessageWriter.response(to: error, toTag: "ours", source: nil))
            #expect(String(decoding: answer, as: UTF8.self).hasPrefix("SIP/2.0 \(status) "))
            #expect(answer.suffix(4) == [13, 10, 13, 10])
            let viaIsSound = error.problem != .malformed(.via) && error.problem != .tooMany(.via)
            if viaIsSound, let parsed = try? parser.parse(answer, transport: .udp) {
                #expect(parsed.status == status)
                #expect(parsed.to.tag != nil)
            }
        }
    }

    /// No byte may trap, wherever a message is cut or changed.
    @Test(arguments: Corpus.cases.filter { $0.name != "message-too-large" })
    func damagedMessagesNeverTrap(entry: Corpus.Case) throws {
        let bytes = try CorpusTests.bytes(of: entry.name)
        let parser = MessageParser(arenaCapacity: 256)
        for end in stride(from: 0, to: min(bytes.count, 1200), by: 3) {
            _ = try? parser.parse(Array(bytes[..<end]), transport: .udp)
        }
        for index in stride(from: 0, to: min(bytes.count, 600), by: 5) {
            var changed = bytes
            changed[index] = UInt8(truncatingIfNeeded: index &* 37)
            _ = try? parser.parse(changed, transport: .udp)
        }
    }
}
