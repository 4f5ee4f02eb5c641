import Media
import Primitives
import SIP
import Testing

@testable import Callers

@Suite struct DigitPlanTests {
    private func keys(_ text: String) -> [Digit] { text.compactMap { Digit($0) } }

    @Test func keysAndPausesAreJoined() throws {
        let steps = try DigitPlan("2,1,10000007#,,.246810# 1").steps(forCaller: 1)
        #expect(
            steps == [
                .press(keys("2")), .pause(.seconds(1)), .press(keys("1")), .pause(.seconds(1)),
                .press(keys("10000007#")), .pause(.milliseconds(2_100)), .press(keys("246810#1")),
            ])
    }

    @Test(arguments: [
        ("{10000000+n}", 7, "10000007"), ("{n:8}", 42, "00000042"), ("{10000001+n%500}", 1_200, "10000201"),
        ("{1000-n-1}#", 9, "990#"), ("{5-n}", 9, "0"), ("1{n}2{n+n}", 3, "1326"),
    ])
    func numbersDependOnTheCaller(text: String, caller: Int, pressed: String) throws {
        #expect(try DigitPlan(text).steps(forCaller: caller) == [.press(keys(pressed))])
    }

    @Test(arguments: [
        ("12x", 3), ("1{n", 2), ("{}", 2), ("{n*2}", 3), ("{n%0}", 4), ("{n:99}", 4), ("{n:8+1}", 4),
        ("{1234567890123456789}", 2), ("{+n}", 2), ("E", 1),
    ])
    func mistakesAreNamedByTheirPlace(text: String, column: Int) {
        do throws(DigitPlanError) {
            _ = try DigitPlan(text)
            Issue.record("\(text) is no plan")
        } catch {
            #expect(error.column == column)
        }
    }

    @Test func digitsOfAPlanAreNotShown() throws {
        let plan = try DigitPlan("246810#")
        #expect(!"\(plan)\(String(reflecting: plan))".contains("246810"))
        #expect(
            throws: DigitPlanError(
                column: 8, problem: "found \"x\", expected a key (0-9 * # A-D), a pause (, or .), w, e, h or {…}")
        ) {
            try DigitPlan("246810#x")
        }
    }

    @Test func aPlanRunsInItsTimes() throws {
        let bench = try Bench(plan: "2,1,{10000000+n}#w9h")
        _ = try #require(try bench.connect())
        #expect(bench.presses == ["2"])
        // The pause begins when the key is up.
        bench.advance(by: .milliseconds(200))
        bench.handle(.pressed(1))
        bench.advance(by: .milliseconds(999))
        #expect(bench.presses == ["2"])
        bench.advance(by: .milliseconds(1))
        #expect(bench.presses == ["2", "1"])
        bench.handle(.pressed(1))
        bench.advance(by: .seconds(1))
        #expect(bench.presses.last == "10000001#")
        bench.handle(.pressed(1))
        #expect(bench.orders.last?.order == .awaitPause)
        bench.advance(by: .seconds(2))
        #expect(bench.presses.count == 3)
        bench.handle(.paused(1))
        #expect(bench.presses.last == "9")
        bench.handle(.pressed(1))
        #expect(bench.take(.bye) != nil)
        #expect(bench.row?.end == "plan")
    }

    @Test func aWaitForAPauseEnds() throws {
        let bench = try Bench(hold: 60, plan: "w1")
        _ = try #require(try bench.connect())
        bench.advance(by: .milliseconds(29_999))
        #expect(bench.presses == [])
        bench.advance(by: .milliseconds(1))
        #expect(bench.presses == ["1"])
        // A pause that comes too late is nobody's.
        bench.handle(.paused(1))
        #expect(bench.presses == ["1"])
    }

    @Test func holdEndsAPlanThatIsNotDone() throws {
        let bench = try Bench(hold: 2, plan: ",,,1")
        _ = try #require(try bench.connect())
        bench.advance(by: .seconds(2))
        #expect(bench.take(.bye) != nil)
        bench.advance(by: .seconds(3))
        #expect(bench.presses == [])
    }
}
