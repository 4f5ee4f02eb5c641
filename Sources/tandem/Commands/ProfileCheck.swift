import Menu
import Profiles
import Prompts
import Speech
import StrictYAML

/// Everything that is wrong with profiles, with the menus that they name and with the texts of their prompts.
struct ProfileCheck {
    /// One line each: the profiles' problems in their order, then those of menus and prompts by file and line.
    var errors: [String]
    var warnings: [String]
    /// The profiles that are right by themselves.
    var items: [ProfileSet.Item]

    /// Blocks on the disk.
    init(files: [String]) {
        let review = ProfileSet.review(files: files)
        items = review.items
        var found: Set<Problem> = []
        var catalogues: [String: PromptCatalogue] = [:]
        for menu in review.menus {
            if catalogues[menu.prompts] == nil {
                var catalogue = PromptCatalogue()
                found.formUnion(catalogue.add(folder: menu.prompts))
                catalogues[menu.prompts] = catalogue
            }
            guard let catalogue = catalogues[menu.prompts] else { continue }
            found.formUnion(MenuCheck.problems(inFile: menu.path, catalogue: catalogue))
        }
        let sorted = found.sorted()
        errors = review.problems.map(\.description)
        errors += sorted.filter { $0.severity == .error }.map(\.description)
        warnings = sorted.filter { $0.severity == .warning }.map(\.description)
    }
}
