import Routing
import Testing

@Suite struct NodeNoticeTests {
    @Test func whatAMasterTellsComesBackWhole() {
        let notice = NodeNotice(node: "center-a", incarnation: "k3f9x2", fenced: "k3f9x1", want: .draining)
        #expect(notice.headerValue == "center-a;incarnation=k3f9x2;fenced=k3f9x1;want=draining")
        #expect(NodeNotice(headerValue: notice.headerValue) == notice)
    }

    @Test func whatIsNotKnownIsNotSaid() {
        let notice = NodeNotice(node: "center-a")
        #expect(notice.headerValue == "center-a")
        #expect(NodeNotice(headerValue: "center-a") == notice)
    }

    @Test func aNewerNodeMaySayMore() {
        let read = NodeNotice(headerValue: " center-a ; incarnation = k1 ;epoch=7;flag; want=resting")
        #expect(read == NodeNotice(node: "center-a", incarnation: "k1"))
    }

    @Test(arguments: [
        "", ";incarnation=k1", "Center A;incarnation=k1", "center-a;incarnation=", "center-a;incarnation=K1",
        "center-a;incarnation=k1;incarnation=k2", "center-a;fenced=k1;fenced=k1", "center-a;want=enabled;want=enabled",
        "center-a;incarnation=12345678901234567", "center-a;x=" + String(repeating: "1", count: 250),
    ])
    func whatCannotBeMeantIsRefused(_ value: String) {
        #expect(NodeNotice(headerValue: value) == nil)
    }
}
