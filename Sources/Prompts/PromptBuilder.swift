import Foundation
import Media
import Speech
import StrictYAML

/// Speaks the clips that nobody has recorded, with one external engine for each language.
public struct PromptBuilder: Sendable {
    public struct Report: Sendable {
        /// Spoken now, because they were missing or their text or engine changed.
        public var built: [ClipReference] = []
        /// There already, and still right.
        public var kept = 0
        /// Recordings of the user, left as they are.
        public var own = 0
        /// One for each reason why clips could not be made, and for each recording of the user that cannot be played.
        public var problems: [Problem] = []
        /// Recordings of the user that nothing speaks.
        public var warnings: [Problem] = []
    }

    struct Job: Sendable {
        var clip: ClipReference
        var text: String
    }

    /// A pause between groups of digits and after list items.
    static let pauseMilliseconds = 220
    /// What follows a whole sentence, so that the next one does not fall into it.
    static let sentenceGapMilliseconds = 180

    /// How long another builder is waited for: one that stands still must not keep a center from starting.
    static let lockPatience = Duration.seconds(120)

    private let catalogue: PromptCatalogue
    private let jobs: [Job]
    private let engines: [String: PromptEngine]
    private let directories: PromptDirectories
    private let parallel: Int

    /// - Parameters:
    ///   - languages: those to build, all of the catalogue's if nil.
    ///   - engines: language → engine.
    ///   - parallel: how many engines run at once.
    public init(
        _ catalogue: PromptCatalogue, languages: [String]? = nil,
        engines: [String: PromptEngine] = PromptEngine.standard,
        directories: PromptDirectories, parallel: Int = ProcessInfo.processInfo.activeProcessorCount
    ) {
        self.catalogue = catalogue
        jobs = (languages ?? catalogue.texts.keys.sorted()).flatMap { language in
            catalogue.texts[language, default: [:]].sorted { $0.key < $1.key }.map {
                Job(clip: ClipReference(language: language, name: $0.key), text: $0.value)
            }
        }
        self.engines = engines
        self.directories = directories
        self.parallel = min(max(parallel, 1), 64)
    }

    /// Makes what is missing. `progress` is called with the number done and the number to do.
    /// Builds into the same directory wait for each other, in other processes too.
    public func build(progress: @Sendable (Int, Int) -> Void = { _, _ in }) async -> Report {
        var (report, waiting) = survey()
        // Where nothing is missing nobody is waited for.
        let lock = waiting.isEmpty ? nil : await FolderLock.take(in: directories.built, within: Self.lockPatience)
        defer { lock?.release() }
        if lock != nil { (report, waiting) = survey() }
        let recordings = OwnRecordings(directory: directories.own, catalogue: catalogue).problems()
        report.problems = recordings.filter { $0.severity == .error }
        report.warnings = recordings.filter { $0.severity == .warning }
        var unspoken = prepare(&waiting)
        let total = waiting.count
        var done = 0
        await withTaskGroup(of: (Job, (any Error)?).self) { group in
            // An engine that failed once would fail, or hang, hundreds of times.
            var rest = waiting[...]
            func next() {
                while let job = rest.popFirst() {
                    guard !job.text.isEmpty, let failure = unspoken.engineFailure(of: job.clip.language) else {
                        return group.addTask { await make(job) }
                    }
                    unspoken.add(job.clip, failure)
                }
            }
            for _ in 0..<parallel { next() }
            for await (job, failure) in group {
                done += 1
                if let failure { unspoken.add(job.clip, failure) } else { report.built.append(job.clip) }
                progress(done, total)
                next()
            }
        }
        report.problems += unspoken.problems(in: directories.built)
        report.problems.sort()
        report.built.sort { ($0.language, $0.name) < ($1.language, $1.name) }
        return report
    }

    // MARK: What is there

    /// What there is, and what there is to do.
    private func survey() -> (Report, [Job]) {
        var report = Report()
        var waiting: [Job] = []
        for job in jobs + [Job(clip: .holdMusic, text: "")] {
            switch state(of: job) {
            case .own: report.own += 1
            case .current: report.kept += 1
            case .missing: waiting.append(job)
            }
        }
        return (report, waiting)
    }

    enum FileState { case own, current, missing }

    func state(of job: Job) -> FileState {
        let files = FileManager.default
        if files.fileExists(atPath: PromptDirectories.file(job.clip, in: directories.own)) { return .own }
        guard let wav = files.contents(atPath: PromptDirectories.file(job.clip, in: directories.built)) else {
            return .missing
        }
        let stamp = files.contents(atPath: directories.stamp(job.clip)).flatMap {
            PromptStamp(String(decoding: $0, as: UTF8.self))
        }
        // Without a stamp, or changed since: somebody put a recording here.
        guard let stamp, stamp.content == PromptStamp.hash(Array(wav)) else { return .own }
        return stamp.source == PromptStamp.hash(of: job.text, spokenBy: command(for: job)) ? .current : .missing
    }

    /// What made the clip; part of its stamp.
    private func command(for job: Job) -> String {
        if job.clip.language == ClipReference.common { return "music" }
        return job.text.isEmpty ? "pause \(Self.pauseMilliseconds)" : engines[job.clip.language]?.command ?? ""
    }

    /// Makes directories and drops the jobs that cannot be done.
    private func prepare(_ waiting: inout [Job]) -> UnspokenPrompts {
        var unspoken = UnspokenPrompts()
        for language in Set(waiting.map(\.clip.language)).sorted() {
            do {
                try FileManager.default.createDirectory(
                    atPath: "\(directories.built)/\(language)/.stamps", withIntermediateDirectories: true)
                if language == ClipReference.common { continue }
                guard let engine = engines[language] else {
                    throw PromptBuildFailure("no engine is set for \"\(language)\"")
                }
                _ = try engine.program()
            } catch {
                for job in waiting where job.clip.language == language { unspoken.add(job.clip, error) }
                waiting.removeAll { $0.clip.language == language }
            }
        }
        return unspoken
    }

    // MARK: Making one

    private func make(_ job: Job) async -> (Job, (any Error)?) {
        let path = PromptDirectories.file(job.clip, in: directories.built)
        do {
            let samples = try await samples(of: job, beside: path)
            let wav = WAVFile.write(samples)
            // The stamp first: a build that is interrupted here leaves a stamp without its file, never a file that
            // looks like a recording of the user.
            let stamp = PromptStamp(text: job.text, command: command(for: job), wav: wav)
            try Data(stamp.line.utf8).write(to: URL(fileURLWithPath: directories.stamp(job.clip)), options: .atomic)
            try Data(wav).write(to: URL(fileURLWithPath: path), options: .atomic)
            return (job, nil)
        } catch {
            return (job, error)
        }
    }

    private func samples(of job: Job, beside path: String) async throws -> [Int16] {
        if job.clip == .holdMusic { return HoldMusic.synthesize() }
        if job.text.isEmpty { return [Int16](repeating: 0, count: Self.pauseMilliseconds * 8) }
        guard let engine = engines[job.clip.language] else {
            throw PromptBuildFailure("no engine is set for this language")
        }
        let raw = path + ".raw"
        defer { try? FileManager.default.removeItem(atPath: raw) }
        try await engine.speak(job.text, to: raw)
        guard let bytes = FileManager.default.contents(atPath: raw) else {
            throw PromptBuildFailure("the engine wrote no file")
        }
        let spoken = try WAVFile.read(Array(bytes)).resampled(to: 8000).levelled().trimmed()
        guard spoken.samples.contains(where: { abs($0) > 0.01 }) else {
            throw PromptBuildFailure("the engine wrote silence")
        }
        let gap = Self.endsSentence(job.text) ? Self.sentenceGapMilliseconds * 8 : 0
        return spoken.telephoneSamples() + [Int16](repeating: 0, count: gap)
    }

    static func endsSentence(_ text: String) -> Bool {
        text.last.map { ".!?:;。！？：；".contains($0) } ?? false
    }
}

/// Why a clip could not be made, besides the engine's own failures.
struct PromptBuildFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
