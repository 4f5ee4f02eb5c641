import Primitives
import Testing

@Suite struct WallTimeTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_772_352_930_250, "2026-03-01T08:15:30.250Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"), (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func writesAndReadsRFC3339(_ milliseconds: Int64, _ text: String) {
        #expect(WallTime(milliseconds: milliseconds).description == text)
        #expect(WallTime(text)?.milliseconds == milliseconds)
    }

    @Test func shorterFractionsAreRead() {
        #expect(WallTime("1970-01-01T00:00:00Z")?.milliseconds == 0)
        #expect(WallTime("1970-01-01T00:00:00.5Z")?.milliseconds == 500)
    }

    @Test(arguments: [
        "", "1970-01-01", "1970-01-01T00:00:00.000", "1970-13-01T00:00:00Z", "1970-02-30T00:00:00Z",
        "1970-01-01T24:00:00Z", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00+08:00", "197x-01-01T00:00:00Z",
    ])
    func othersAreRefused(_ text: String) { #expect(WallTime(text) == nil) }

    @Test func theDayTurnsByThePlace() {
        let evening = WallTime("2026-03-01T15:59:59.999Z")
        let night = WallTime("2026-03-01T16:00:00.000Z")
        #expect(evening?.day(offset: .seconds(8 * 3600)) == 20_513)
        #expect(night?.day(offset: .seconds(8 * 3600)) == 20_514)
        #expect(WallTime(milliseconds: -1).day() == -1)
    }

    @Test func extremesSaturate() {
        #expect(WallTime(milliseconds: .max) + .seconds(1) == WallTime(milliseconds: .max))
        #expect(WallTime(milliseconds: .min) + .seconds(-1) == WallTime(milliseconds: .min))
        #expect(WallTime(milliseconds: .max).description == "9999-12-31T23:59:59.999Z")
    }
}
