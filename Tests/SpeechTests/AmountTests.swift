import Speech
import Testing

@Suite struct AmountTests {
    static let catalogue = PromptCatalogue()

    static func said(_ content: PromptItem.Content, _ language: String) -> String {
        catalogue.text(for: [PromptItem(content, language: language)])
    }

    @Test(
        arguments: [
            (0, "zero yuan", "零元"),
            (1, "one fen", "一分"),
            (2, "two fen", "两分"),
            (5, "five fen", "五分"),
            (10, "ten fen", "一角"),
            (20, "twenty fen", "两角"),
            (22, "twenty-two fen", "两角二分"),
            (50, "fifty fen", "五角"),
            (55, "fifty-five fen", "五角五分"),
            (100, "one yuan", "一元"),
            (102, "one yuan and two fen", "一元零二分"),
            (120, "one yuan and twenty fen", "一元二角"),
            (155, "one yuan and fifty-five fen", "一元五角五分"),
            (200, "two yuan", "两元"),
            (205, "two yuan and five fen", "两元零五分"),
            (1000, "ten yuan", "十元"),
            (1005, "ten yuan and five fen", "十元零五分"),
            (1010, "ten yuan and ten fen", "十元一角"),
            (1200, "twelve yuan", "十二元"),
            (2000, "twenty yuan", "二十元"),
            (2200, "twenty-two yuan", "二十二元"),
            (10_000, "one hundred yuan", "一百元"),
            (10_050, "one hundred yuan and fifty fen", "一百元五角"),
            (10_200, "one hundred and two yuan", "一百零二元"),
            (11_000, "one hundred and ten yuan", "一百一十元"),
            (20_000, "two hundred yuan", "两百元"),
            (22_200, "two hundred and twenty-two yuan", "两百二十二元"),
            (100_000, "one thousand yuan", "一千元"),
            (100_005, "one thousand yuan and five fen", "一千元零五分"),
            (100_100, "one thousand and one yuan", "一千零一元"),
            (120_000, "one thousand two hundred yuan", "一千二百元"),
            (200_000, "two thousand yuan", "两千元"),
            (220_000, "two thousand two hundred yuan", "两千二百元"),
            (1_000_700, "ten thousand and seven yuan", "一万零七元"),
            (1_234_567, "twelve thousand three hundred and forty-five yuan and sixty-seven fen", "一万二千三百四十五元六角七分"),
            (2_000_000, "twenty thousand yuan", "两万元"),
            (2_000_200, "twenty thousand and two yuan", "两万零二元"),
            (2_222_200, "twenty-two thousand two hundred and twenty-two yuan", "两万二千二百二十二元"),
            (10_001_000, "one hundred thousand and ten yuan", "十万零一十元"),
            (10_100_000, "one hundred and one thousand yuan", "十万一千元"),
            (20_000_000, "two hundred thousand yuan", "二十万元"),
            (100_000_000, "one million yuan", "一百万元"),
            (200_000_000, "two million yuan", "两百万元"),
            (1_001_000_110, "ten million ten thousand and one yuan and ten fen", "一千零一万零一元一角"),
            (2_000_000_000, "twenty million yuan", "两千万元"),
            (10_000_000_000, "one hundred million yuan", "一亿元"),
            (10_000_000_100, "one hundred million and one yuan", "一亿零一元"),
            (12_000_000_000, "one hundred and twenty million yuan", "一亿二千万元"),
            (20_000_000_000, "two hundred million yuan", "两亿元"),
            (20_002_000_000, "two hundred million twenty thousand yuan", "两亿零二万元"),
            (100_000_000_000_000, "one trillion yuan", "一万亿元"),
            (
                123_450_000_000_000, "one trillion two hundred and thirty-four billion five hundred million yuan",
                "一万二千三百四十五亿元"
            ),
            (-1_000_700, "minus ten thousand and seven yuan", "负一万零七元"),
            (-5, "minus five fen", "负五分"),
        ] as [(Int64, String, String)])
    func yuanAndFenAreSpokenAsAtTheCounter(_ minor: Int64, _ english: String, _ chinese: String) {
        #expect(Self.said(.amount(minor: minor, currency: "CNY"), "en") == english)
        #expect(Self.said(.amount(minor: minor, currency: "CNY"), "zh") == chinese)
    }
}
