import Menu
import Speech
import Testing

@Suite struct ShippedMenuTests {
    static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(
        separator: "/")

    @Test func isRead() throws {
        let menu = try MenuDefinition(MenuSource.read(Self.root + "/sip-profiles/menus/telephone-banking.yaml"))
        #expect(menu.start == "language")
        #expect(menu.warnings.isEmpty)
        #expect(menu.hash.utf8.count == 64)
    }
}
