import Foundation
import Media
import Speech
import StrictYAML
import Testing

@testable import Prompts

/// A directory for one test, removed with it.
private final class Scratch {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("prompts-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var directories: PromptDirectories { PromptDirectories(own: path + "/own", built: path + "/built") }

    func write(_ bytes: [UInt8], to name: String) throws -> String {
        let file = URL(fileURLWithPath: path + "/" + name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
        return file.path
    }

    func bytes(_ name: String) -> [UInt8]? { FileManager.default.contents(atPath: path + "/" + name).map(Array.init) }
}

/// Two sentences and nothing else.
private struct Tiny: SpokenLanguage {
    var code: String { "xx" }
    var atoms: [String: String] { ["hello": "Hello.", "pause": "", "word": "word"] }
    var separator: String { " " }
    func number(_ value: Int64) -> [String] { [] }
    func count(_ value: Int64) -> [String] { [] }
    func amount(minor: Int64, currency: String) -> [String] { [] }
    func decimal(_ text: String) -> [String] { [] }
    func date(_ date: CivilDate) -> [String] { [] }
    func monthDay(_ date: CivilDate) -> [String] { [] }
    func time(hour: Int, minute: Int) -> [String] { [] }
    func currencyName(_ code: String) -> [String] { [] }
}

@Suite struct PromptBuilderTests {
    /// 22.05 kHz, quiet, with 200 ms of silence on both sides.
    static let spoken: [UInt8] = {
        let silence = [Int16](repeating: 0, count: 4410)
        let tone = (0..<11_025).map { Int16(1000 * sin(2 * Double.pi * 440 * Double($0) / 22_050)) }
        return WAVFile.write(silence + tone + silence, sampleRate: 22_050)
    }()

    private func builder(_ scratch: Scratch, command: String, parallel: Int = 2) -> PromptBuilder {
        PromptBuilder(
            PromptCatalogue(languages: [Tiny()]), engines: ["xx": PromptEngine(command: command, limit: .seconds(20))],
            directories: scratch.directories, parallel: parallel)
    }

    @Test func missingPromptsAreSpokenOnceAndKept() async throws {
        let scratch = try Scratch()
        let voice = try scratch.write(Self.spoken, to: "voice.wav")
        let builder = builder(scratch, command: "cp \(voice) {output}")
        let first = await builder.build()
        #expect(first.problems == [])
        #expect(first.built.map(\.description) == ["common/hold-music", "xx/hello", "xx/pause", "xx/word"])
        let second = await builder.build()
        #expect(second.built.isEmpty)
        #expect(second.kept == 4)
    }

    @Test func whatIsSpokenIsTrimmedLevelledAndBroughtTo8kHz() async throws {
        let scratch = try Scratch()
        let voice = try scratch.write(Self.spoken, to: "voice.wav")
        _ = await builder(scratch, command: "cp \(voice) {output}").build()
        let word = try WAVFile.read(#require(scratch.bytes("built/xx/word.wav")))
        #expect(word.sampleRate == 8000)
        // 500 ms of tone and at most 20 ms on either side; the source was 900 ms.
        #expect((3900...4400).contains(word.samples.count))
        #expect(word.samples.map(abs).max() ?? 0 > 0.1, "the source peaked at 0.03")
        let sentence = try WAVFile.read(#require(scratch.bytes("built/xx/hello.wav")))
        #expect(sentence.samples.count == word.samples.count + PromptBuilder.sentenceGapMilliseconds * 8)
        let pause = try WAVFile.read(#require(scratch.bytes("built/xx/pause.wav")))
        #expect(pause.samples.count == PromptBuilder.pauseMilliseconds * 8)
        #expect(pause.samples.allSatisfy { $0 == 0 })
    }

    @Test func aChangedEngineOrTextSpeaksAnew() async throws {
        let scratch = try Scratch()
        let voice = try scratch.write(Self.spoken, to: "voice.wav")
        _ = await builder(scratch, command: "cp \(voice) {output}").build()
        let again = await builder(scratch, command: "cp -f \(voice) {output}").build()
        #expect(again.built.map(\.name) == ["hello", "word"])
        #expect(again.kept == 2, "music and pause do not depend on the engine")
    }

    @Test func aRecordingOfTheUserWinsWhereverItLies() async throws {
        let scratch = try Scratch()
        let voice = try scratch.write(Self.spoken, to: "voice.wav")
        let own = WAVFile.write([Int16](repeating: 5000, count: 800))
        _ = try scratch.write(own, to: "own/xx/hello.wav")
        _ = try scratch.write(own, to: "built/xx/word.wav")
        let builder = builder(scratch, command: "cp \(voice) {output}")
        let report = await builder.build()
        #expect(report.own == 2)
        #expect(scratch.bytes("built/xx/hello.wav") == nil)
        #expect(scratch.bytes("built/xx/word.wav") == own)
        let loaded = PromptLoader(scratch.directories).load(PromptCatalogue(languages: [Tiny()]))
        #expect(loaded.problems == [])
        let id = try #require(loaded.library.id(ClipName(language: "xx", "hello")))
        #expect(loaded.library.audio.milliseconds(id) == 100)
    }

    @Test func aRecordingPutOverABuiltPromptIsNotTouchedEvenWhenTheTextChanges() async throws {
        let scratch = try Scratch()
        let voice = try scratch.write(Self.spoken, to: "voice.wav")
        _ = await builder(scratch, command: "cp \(voice) {output}").build()
        let own = WAVFile.write([Int16](repeating: 5000, count: 800))
        _ = try scratch.write(own, to: "built/xx/word.wav")
        let report = await builder(scratch, command: "cp -f \(voice) {output}").build()
        #expect(report.own == 1)
        #expect(scratch.bytes("built/xx/word.wav") == own)
    }

    @Test func anEngineThatIsNotInstalledIsOneLineThatInventsNoPackage() async throws {
        let scratch = try Scratch()
        let report = await builder(scratch, command: "no-such-engine {output} {text}").build()
        #expect(
            report.problems.map(\.message) == [
                "3 prompts are not spoken: the command no-such-engine is not there; install it or set another as "
                    + "languages.LANG.voice in the profile"
            ])
        #expect(report.built == [.holdMusic])
        #expect("\(PromptEngine.Failure.notInstalled("espeak-ng"))".contains("apt-get install espeak-ng"))
    }

    @Test func anEngineThatFailsIsOneLineForAllClipsAndLeavesNothingBehind() async throws {
        let scratch = try Scratch()
        for parallel in [1, 2] {
            let report = await builder(scratch, command: "false {output} {text}", parallel: parallel).build()
            #expect(
                report.problems.map(\.message) == ["2 prompts are not spoken: the command false ended with status 1"])
        }
        #expect(scratch.bytes("built/xx/word.wav") == nil)
        #expect(scratch.bytes("built/xx/word.wav.raw") == nil)
    }

    @Test func anEngineThatFailedIsNotAskedForEveryFurtherClip() async throws {
        let scratch = try Scratch()
        let script = try scratch.write(Array("echo x >> \"$1\"; exit 3".utf8), to: "engine.sh")
        let report = await builder(
            scratch, command: "sh \(script) \(scratch.path)/asked {output}", parallel: 1
        ).build()
        #expect(report.problems.count == 1)
        #expect(scratch.bytes("asked") == Array("x\n".utf8))
    }

    @Test func recordingsOfTheUserAreDecodedAndTheirNamesCheckedWhenPromptsAreBuilt() async throws {
        let scratch = try Scratch()
        let voice = try scratch.write(Self.spoken, to: "voice.wav")
        _ = try scratch.write(Array("no wav".utf8), to: "own/xx/hello.wav")
        _ = try scratch.write(Self.spoken, to: "own/xx/wort.wav")
        _ = try scratch.write(Self.spoken, to: "own/xx/something-else.wav")
        _ = try scratch.write(Self.spoken, to: "own/yy/hello.wav")
        _ = try scratch.write(Array("ID3".utf8), to: "own/xx/word.mp3")
        _ = try scratch.write(Self.spoken, to: "own/common/hold-music.wav")
        _ = try scratch.write(Array("language: xx".utf8), to: "own/xx.yaml")
        let report = await builder(scratch, command: "cp \(voice) {output}").build()
        #expect(
            report.problems.map { $0.description.replacing(scratch.path, with: "") } == [
                "/own/xx/hello.wav: error: not readable as a prompt: no RIFF/WAVE file"
            ])
        #expect(
            report.warnings.map { $0.description.replacing(scratch.path, with: "") } == [
                "/own/xx/something-else.wav: warning: no menu and no speech uses \"something-else\": "
                    + "no text of that name, no number, date or currency",
                "/own/xx/word.mp3: warning: is not read: a recording is NAME.wav",
                "/own/xx/wort.wav: warning: no menu and no speech uses \"wort\"; is \"word\" meant?",
                "/own/yy: warning: \"yy\" is no language of the prompts; there are xx, common",
            ])
    }

    @Test func anEngineThatHangsIsEnded() async throws {
        let scratch = try Scratch()
        let waiting = PromptEngine(command: "sh -c \"sleep 600 # {output}\"", limit: .milliseconds(50))
        await #expect(throws: PromptEngine.Failure.tooSlow("sh", .milliseconds(50))) {
            try await waiting.speak("x", to: scratch.path + "/x")
        }
    }

    @Test func theTextGoesToTheEngineAsOneWordOrToItsInput() async throws {
        let scratch = try Scratch()
        let output = scratch.path + "/said"
        let script = try scratch.write(Array("printf %s \"$2\" > \"$1\"".utf8), to: "engine.sh")
        try await PromptEngine(command: "sh \(script) {output} {text}").speak("a; exit 3 $0", to: output)
        #expect(scratch.bytes("said") == Array("a; exit 3 $0".utf8))
        try await PromptEngine(command: "tee {output}").speak("from input", to: output)
        #expect(scratch.bytes("said") == Array("from input".utf8))
    }

    @Test func everyMissingPromptIsListed() throws {
        let scratch = try Scratch()
        _ = try scratch.write(Array("no wav".utf8), to: "own/xx/hello.wav")
        let loaded = PromptLoader(scratch.directories).load(PromptCatalogue(languages: [Tiny()]))
        #expect(loaded.problems.count == 4)
        #expect(loaded.problems.contains { $0.file.hasSuffix("own/xx/hello.wav") && $0.message.contains("no RIFF") })
        #expect(loaded.problems.filter { $0.message.contains("tandem prompts build") }.count == 3)
    }
}
