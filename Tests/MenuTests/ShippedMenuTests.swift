import Foundation
import Menu
import Speech
import Testing

/// The menu of line 95533, its texts and its scripts, as they are shipped.
@Suite struct ShippedMenuTests {
    static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(
        separator: "/")
    static let path = root + "/sip-profiles/menus/telephone-banking.yaml"

    static func text(_ file: String) throws -> String { try String(contentsOfFile: root + "/" + file, encoding: .utf8) }

    static func catalogue() throws -> PromptCatalogue {
        var catalogue = PromptCatalogue()
        for language in ["zh", "en"] {
            try catalogue.add(file: text("sip-profiles/prompts/\(language).yaml"), named: "\(language).yaml")
        }
        return catalogue
    }

    @Test func theMenuIsReadWithoutFindings() throws {
        let findings = try MenuCheck.problems(inFile: Self.path, catalogue: Self.catalogue(), queues: ["service"])
        #expect(findings == [])
    }

    @Test func bothLanguagesHaveTheSameSentences() throws {
        #expect(try Self.catalogue().gaps(languages: ["zh", "en"]) == [])
    }

    @Test func theScriptsPassAndTakeEveryBranch() throws {
        let menu = try MenuDefinition(MenuSource.read(Self.path))
        let script = try MenuScript(
            Self.text("sip-profiles/menus/telephone-banking.test.yaml"), file: "telephone-banking.test.yaml")
        let report = script.run(menu, catalogue: try Self.catalogue())
        #expect(report.problems.map(\.description) == [])
        #expect(report.untaken == [])
        #expect(report.passed > 60 && report.failed == 0)
    }

    @Test func everyStateHasANameOfTheContractInCallRecords() throws {
        let menu = try MenuDefinition(MenuSource.read(Self.path))
        let known: Set<String> = [
            "language", "main", "rates", "login", "banking", "balance", "statement", "transfer-payee",
            "transfer-amount", "transfer-confirm", "report-card", "change-pin", "agent", "goodbye",
        ]
        let passing: Set<String> = ["after-agent"]
        let names = Set(menu.stateNames.filter { !passing.contains($0) }.compactMap { menu.path(of: $0) })
        #expect(names == known)
    }
}
