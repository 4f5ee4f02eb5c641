import Speech
import Testing

@testable import Menu

/// The examples of docs/MENUS.md are what they say they are.
@Suite struct MenuDocumentTests {
    @Test func theSmallMenuOfTheDocumentIsSound() throws {
        let document = try ShippedMenuTests.text("docs/MENUS.md")
        let example = try #require(
            document.split(separator: "```yaml\n").dropFirst().first?.split(separator: "```").first)
        let menu = try MenuDefinition(MenuSource(top: "hours.yaml", files: ["hours.yaml": String(example)]))
        #expect(menu.stateNames == ["main", "hours", "goodbye"])
    }

    @Test func everyOperationAndResultIsInTheDocument() throws {
        let document = try ShippedMenuTests.text("docs/MENUS.md")
        for signature in OperationCatalogue.banking.signatures.values {
            let row = try #require(document.split(separator: "\n").last { $0.hasPrefix("| `\(signature.name)` |") })
            for result in signature.results.keys { #expect(row.contains("`\(result)`"), "\(signature.name) \(result)") }
            for argument in signature.givenArguments { #expect(row.contains("`\(argument)`"), "\(argument)") }
        }
    }
}
