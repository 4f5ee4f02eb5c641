import Media
import Speech

/// Turns what a menu says into clips of the library.
public struct Voices: Sendable {
    public let catalogue: PromptCatalogue
    /// Nil for a clip that is not in the library.
    let clip: @Sendable (_ language: String, _ name: String) -> ClipID?
    public let music: ClipID?

    public init(
        catalogue: PromptCatalogue, music: ClipID?,
        clip: @escaping @Sendable (_ language: String, _ name: String) -> ClipID?
    ) {
        self.catalogue = catalogue
        self.clip = clip
        self.music = music
    }

    /// The clips of the items, and the names of those that the library lacks: they are left out, the rest is spoken.
    func playlist(_ items: [PromptItem]) -> (playlist: [PlaylistItem], missing: [String]) {
        var playlist: [PlaylistItem] = []
        var missing: [String] = []
        for item in items {
            for name in catalogue.clips(for: item) {
                if let id = clip(name.language, name.name) {
                    playlist.append(.clip(id))
                } else if catalogue.texts[name.language]?[name.name]?.isEmpty == true {
                    playlist.append(.gap(milliseconds: Voices.pauseMilliseconds))
                } else {
                    missing.append("\(name.language)/\(name.name)")
                }
            }
        }
        return (playlist, missing)
    }

    /// What a clip without words lasts.
    static let pauseMilliseconds = 250
}
