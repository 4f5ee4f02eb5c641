extension Message {
    /// The elements of comma-separated headers that hold tokens, such as Require or Allow, without white space.
    public func tokens(of name: HeaderName) -> [String] {
        values(of: name).flatMap { value in
            value.split(separator: ",").map { $0.trimmingWhiteSpace() }.filter { !$0.isEmpty }
        }
    }

    /// Whether an option tag is in one of those headers; option tags are compared without case.
    public func has(optionTag tag: String, in name: HeaderName) -> Bool {
        tokens(of: name).contains { $0.equalsIgnoringCase(tag) }
    }
}

extension StringProtocol {
    func trimmingWhiteSpace() -> String {
        let isSpace = { (character: Character) in character == " " || character == "\t" }
        let start = drop(while: isSpace)
        guard let last = start.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(start[...last])
    }
}
