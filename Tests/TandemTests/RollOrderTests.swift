import Testing

@testable import tandem

@Suite struct RollOrderTests {
    @Test func theLeadingMasterIsLastAndCentersGoBeforeAccess() {
        let order = Roll.order([
            ("access-1", "access", false), ("center-b", "center", false), ("master-a", "master", true),
            ("center-a", "center", false), ("master-b", "master", false),
        ])
        #expect(order == ["master-b", "center-a", "center-b", "access-1", "master-a"])
    }
}
