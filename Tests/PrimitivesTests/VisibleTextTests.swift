import Primitives
import Testing

@Suite struct VisibleTextTests {
    @Test(arguments: [
        ("95533", "95533"), ("张三 <caller>", "张三 <caller>"), ("\u{1B}[31m\nEVIL", "\u{FFFD}[31m\u{FFFD}EVIL"),
        ("a\r\nb", "a\u{FFFD}\u{FFFD}b"), ("\u{1B}]0;x\u{7}", "\u{FFFD}]0;x\u{FFFD}"), ("a\u{9B}2J", "a\u{FFFD}2J"),
        ("1\u{202E}2", "1\u{FFFD}2"), ("", ""),
    ])
    func whatATerminalWouldObeyIsReplaced(_ text: String, _ shown: String) { #expect(text.visible == shown) }
}
