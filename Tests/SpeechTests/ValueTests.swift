import Speech
import StrictYAML
import Testing

@Suite struct ValueTests {
    static func said(_ content: PromptItem.Content, _ language: String) -> String {
        AmountTests.said(content, language)
    }

    @Test(
        arguments: [
            (0, "zero", "零"), (2, "two", "二"), (10, "ten", "十"), (12, "twelve", "十二"), (20, "twenty", "二十"),
            (22, "twenty-two", "二十二"), (100, "one hundred", "一百"), (101, "one hundred and one", "一百零一"),
            (110, "one hundred and ten", "一百一十"), (112, "one hundred and twelve", "一百一十二"),
            (200, "two hundred", "两百"), (1001, "one thousand and one", "一千零一"),
            (1010, "one thousand and ten", "一千零一十"), (1100, "one thousand one hundred", "一千一百"),
            (2002, "two thousand and two", "两千零二"), (10_000, "ten thousand", "一万"),
            (10_100, "ten thousand one hundred", "一万零一百"), (100_000, "one hundred thousand", "十万"),
            (110_000, "one hundred and ten thousand", "十一万"), (1_000_001, "one million and one", "一百万零一"),
            (10_010_001, "ten million ten thousand and one", "一千零一万零一"),
            (100_010_000, "one hundred million ten thousand", "一亿零一万"),
            (1_000_000_000_000, "one trillion", "一万亿"), (-7, "minus seven", "负七"),
        ] as [(Int64, String, String)])
    func numbers(_ value: Int64, _ english: String, _ chinese: String) {
        #expect(Self.said(.number(value), "en") == english)
        #expect(Self.said(.number(value), "zh") == chinese)
    }

    @Test(arguments: [(1, "一"), (2, "两"), (3, "三"), (12, "十二"), (20, "二十"), (22, "二十二")] as [(Int64, String)])
    func howManyIsSaidWithLiang(_ value: Int64, _ chinese: String) {
        #expect(Self.said(.count(value), "zh") == chinese)
    }

    @Test func theEndsOfTheRangeDoNotTrap() {
        for language in ["en", "zh"] {
            for value in [Int64.min, Int64.max] {
                #expect(!Self.said(.number(value), language).isEmpty)
                #expect(!Self.said(.amount(minor: value, currency: "CNY"), language).isEmpty)
            }
        }
    }

    @Test(
        arguments: [
            (100, "USD", "one dollar", "一美元"), (205, "USD", "two dollars and five cents", "两美元五美分"),
            (101, "GBP", "one pound and one penny", "一英镑一便士"), (250, "EUR", "two euros and fifty cents", "两欧元五十欧分"),
            (2, "JPY", "two yen", "两日元"), (1050, "HKD", "ten Hong Kong dollars and fifty cents", "十港元五十港仙"),
            (1050, "XXX", "ten point five zero", "十点五零"), (-1000, "XXX", "minus ten", "负十"),
        ] as [(Int64, String, String, String)])
    func otherCurrencies(_ minor: Int64, _ code: String, _ english: String, _ chinese: String) {
        #expect(Self.said(.amount(minor: minor, currency: code), "en") == english)
        #expect(Self.said(.amount(minor: minor, currency: code), "zh") == chinese)
    }

    @Test(arguments: [
        ("7.1151", "seven point one one five one", "七点一一五一"), ("0.05", "zero point zero five", "零点零五"),
        ("12", "twelve", "十二"), ("-2.5", "minus two point five", "负二点五"), ("", "", ""), ("1.", "", ""),
        ("one", "", ""), ("1e5", "", ""), ("9999999999999999999", "", ""),
    ])
    func decimals(_ text: String, _ english: String, _ chinese: String) {
        #expect(Self.said(.decimal(text), "en") == english)
        #expect(Self.said(.decimal(text), "zh") == chinese)
    }

    @Test func digitsComeInGroupsWithAPauseBetween() {
        let catalogue = AmountTests.catalogue
        let item = PromptItem(.digits("1012", groups: [2, 2]), language: "en")
        #expect(catalogue.clips(for: item).map(\.name) == ["digit-1", "digit-0", "pause", "digit-1", "digit-2"])
        let rest = PromptItem(.digits("10123", groups: [2]), language: "en")
        #expect(
            catalogue.clips(for: rest).map(\.name) == ["digit-1", "digit-0", "pause", "digit-1", "digit-2", "digit-3"])
        #expect(Self.said(.digits("10000007", groups: []), "zh") == "幺零零零零零零七")
        #expect(Self.said(.digits("10 a-7", groups: []), "en") == "one zero seven", "what is no digit is passed over")
    }

    @Test(arguments: [
        ("2026-11-22", "November twenty-second twenty twenty-six", "二零二六年十一月二十二日"),
        ("2000-01-01", "January first two thousand", "二零零零年一月一日"),
        ("2005-12-31", "December thirty-first two thousand and five", "二零零五年十二月三十一日"),
        ("2010-02-12", "February twelfth twenty ten", "二零一零年二月十二日"),
        ("1999-03-03", "March third nineteen ninety-nine", "一九九九年三月三日"),
        ("1905-05-05", "May fifth nineteen oh five", "一九零五年五月五日"),
        ("1900-08-20", "August twentieth nineteen hundred", "一九零零年八月二十日"),
        ("2024-02-29T10:00:00.000Z", "February twenty-ninth twenty twenty-four", "二零二四年二月二十九日"),
    ])
    func dates(_ text: String, _ english: String, _ chinese: String) throws {
        let date = try #require(CivilDate(text))
        #expect(Self.said(.date(date), "en") == english)
        #expect(Self.said(.date(date), "zh") == chinese)
        #expect(chinese.hasSuffix(Self.said(.monthDay(date), "zh")))
        #expect(english.hasPrefix(Self.said(.monthDay(date), "en")))
    }

    @Test(arguments: ["2026-02-29", "2026-13-01", "2026-00-01", "2026-1-1", "1900-02-29", "today", "", "2026-04-31"])
    func daysThatAreNoneAreRefused(_ text: String) {
        #expect(CivilDate(text) == nil)
    }

    @Test(arguments: [
        (9, 0, "nine o'clock", "九点整"), (14, 5, "fourteen oh five", "十四点零五分"), (2, 30, "two thirty", "两点三十分"),
        (0, 0, "zero hours", "零点整"), (12, 2, "twelve oh two", "十二点零二分"), (24, 0, "", ""),
    ])
    func times(_ hour: Int, _ minute: Int, _ english: String, _ chinese: String) {
        #expect(Self.said(.time(hour: hour, minute: minute), "en") == english)
        #expect(Self.said(.time(hour: hour, minute: minute), "zh") == chinese)
    }

    /// Whatever is composed, the catalogue has its clips.
    @Test(arguments: ["en", "zh"])
    func everyClipThatCompositionAsksForIsAnAtom(_ language: String) throws {
        let catalogue = AmountTests.catalogue
        var contents: [PromptItem.Content] = []
        var value: Int64 = 1
        for step in 0..<4000 {
            value = value &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let small = value >> Int64(step % 63)
            contents += [.number(small), .count(small), .amount(minor: small, currency: "CNY")]
            contents += [.amount(minor: small, currency: ["USD", "EUR", "GBP", "HKD", "JPY", "ABC"][step % 6])]
        }
        for day in 1...31 {
            for year in [1900, 1905, 1999, 2000, 2009, 2026, 9999] {
                let date = try #require(CivilDate(year: year, month: [1, 3, 5, 7, 8, 10, 12][day % 7], day: day))
                contents.append(.date(date))
            }
        }
        for minute in 0..<1440 { contents.append(.time(hour: minute / 60, minute: minute % 60)) }
        for code in ["CNY", "USD", "EUR", "GBP", "HKD", "JPY"] { contents.append(.currencyName(code)) }
        contents += [.decimal("-120.0123456789"), .decimal("-120.012345678"), .digits("0123456789", groups: [3, 3])]
        for content in contents {
            for clip in catalogue.clips(for: PromptItem(content, language: language)) {
                #expect(catalogue.contains(clip), "\(clip) for \(content)")
            }
        }
    }
}

@Suite struct PromptCatalogueTests {
    @Test func aThirdLanguageIsAConformanceMore() {
        let catalogue = PromptCatalogue(languages: [English(), Pirate()])
        #expect(catalogue.text(for: [PromptItem(.number(3), language: "pi")]) == "arr arr arr")
        #expect(catalogue.clips(for: PromptItem(.number(3), language: "zh")).isEmpty)
    }

    @Test func problemsOfAPromptFileComeAllAtOnceWithTheirLines() {
        var catalogue = PromptCatalogue()
        let text = """
            language: en
            clips:
              Hello World: x
              number-7: seven
              fine: Fine.
              empty:
            extra: 1
            """
        do {
            try catalogue.add(file: text, named: "en.yaml")
            Issue.record("it was taken")
        } catch {
            #expect(error.list.map(\.line) == [3, 4, 6, 7])
            #expect(error.description.contains("en.yaml:4: error: the clip \"number-7\" is one of the language's own"))
        }
    }

    @Test func anUnknownLanguageIsRefused() {
        var catalogue = PromptCatalogue()
        #expect(throws: Problems.self) { try catalogue.add(file: "language: fr\nclips: {a: b}", named: "fr.yaml") }
        #expect(throws: Problems.self) { try catalogue.add(file: "", named: "empty.yaml") }
    }

    @Test func aSentenceThatOneLanguageLacksIsNamed() throws {
        var catalogue = PromptCatalogue()
        try catalogue.add(file: "language: en\nclips:\n  hello: Hello", named: "en.yaml")
        #expect(
            catalogue.gaps(languages: ["en", "zh"]).map(\.description)
                == ["en.yaml:3: warning: the clip \"hello\" has no text in \"zh\""])
    }
}

private struct Pirate: SpokenLanguage {
    var code: String { "pi" }
    var separator: String { " " }
    var atoms: [String: String] { ["arr": "arr"] }
    func number(_ value: Int64) -> [String] { Array(repeating: "arr", count: Int(clamping: value)) }
    func count(_ value: Int64) -> [String] { number(value) }
    func amount(minor: Int64, currency: String) -> [String] { number(minor) }
    func decimal(_ text: String) -> [String] { [] }
    func date(_ date: CivilDate) -> [String] { [] }
    func monthDay(_ date: CivilDate) -> [String] { [] }
    func time(hour: Int, minute: Int) -> [String] { [] }
    func currencyName(_ code: String) -> [String] { [] }
}
