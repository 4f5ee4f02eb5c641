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
        // Nil where the texts cannot be read: then it is not said of each clip that it has none.
        var catalogues: [String: PromptCatalogue?] = [:]
        for menu in review.menus {
            if catalogues[menu.prompts] == nil {
                var catalogue = PromptCatalogue()
                let problems = catalogue.add(folder: menu.prompts)
                found.formUnion(problems)
                found.formUnion(OwnRecordings(directory: menu.prompts, catalogue: catalogue).problems())
                catalogues[menu.prompts] = .some(problems.contains(where: \.isOfWholeFile) ? nil : catalogue)
            }
            let catalogue = catalogues[menu.prompts] ?? nil
            found.formUnion(MenuCheck.problems(inFile: menu.path, catalogue: catalogue))
        }
        let sorted = found.sorted()
        errors = review.problems.map(\.description)
        errors += sorted.filter { $0.severity == .error }.map(\.description)
        warnings = sorted.filter { $0.severity == .warning }.map(\.description)
    }
}
