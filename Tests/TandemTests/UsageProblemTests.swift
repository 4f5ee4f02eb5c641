import ArgumentParser
import Testing

@testable import tandem

/// Wrong usage is one line that says what to do.
@Suite struct UsageProblemTests {
    private func line(_ arguments: String...) -> String? {
        do {
            _ = try Tandem.parseAsRoot(arguments)
            return nil
        } catch {
            return UsageProblem.line(for: Tandem.message(for: error), arguments: arguments, of: Tandem.self)
        }
    }

    @Test func anUnknownCommandIsAnsweredWithTheKnownOnes() {
        let line = line("seats", "--profile", "x.yaml")
        #expect(
            line?.hasPrefix("tandem: unknown command \"seats\", expected one of up, access, center, master") == true)
        #expect(line?.contains("\n") == false)
        #expect(
            self.line("menu", "frob", "a.yaml")
                == "tandem: menu: unknown command \"frob\", expected one of check, draw, try, test")
    }

    @Test func aGroupOfCommandsAloneIsWrongUsage() throws {
        let command = try Tandem.parseAsRoot(["bank"])
        #expect(
            UsageProblem.missingCommand(type(of: command))
                == "tandem bank: what to do is missing, expected one of accounts, transfers, attempts, audit; see tandem bank --help"
        )
        #expect(UsageProblem.missingCommand(StatusCommand.self) == nil)
    }

    @Test func aMissingOrUnknownOptionNamesTheCommandsHelp() {
        #expect(
            line("center") == "tandem center: missing expected argument '--profile <profile>'; see tandem center --help"
        )
        let unknown = line("status", "--josn")
        #expect(unknown?.hasPrefix("tandem status: unknown option '--josn'") == true)
        #expect(unknown?.hasSuffix("; see tandem status --help") == true)
        #expect(unknown?.contains("\n") == false)
        #expect(line("menu", "check")?.hasSuffix("; see tandem menu check --help") == true)
        #expect(line("bank", "transfers", "--limit", "x")?.contains("\n") == false)
    }
}
