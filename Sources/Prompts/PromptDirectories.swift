import Media
import Speech

/// Where the WAV files of prompts lie, as `LANG/NAME.wav`; sound without words is in `common/`.
public struct PromptDirectories: Sendable {
    /// The user's recordings beside the prompt files: `sip-profiles/prompts`. They always win.
    public var own: String
    /// What the builder speaks: `STATE/prompts`. A file here that the builder did not make is the user's too.
    public var built: String

    public init(own: String, built: String) {
        self.own = own
        self.built = built
    }

    static func file(_ clip: ClipReference, in directory: String) -> String {
        "\(directory)/\(clip.language)/\(clip.name).wav"
    }

    func stamp(_ clip: ClipReference) -> String { "\(built)/\(clip.language)/.stamps/\(clip.name)" }
}

extension ClipReference {
    /// The directory of sound without words.
    static let common = "common"
    /// Played to callers who wait.
    public static let holdMusic = ClipReference(language: common, name: "hold-music")
}

extension ClipName {
    /// The name of a clip in the library that `PromptLoader` fills. Sound without words has no language there.
    public init(_ clip: ClipReference) {
        self.init(language: clip.language == ClipReference.common ? "" : clip.language, clip.name)
    }
}
