import Primitives
import Routing
import Testing

@Suite struct RateLimitTests {
    @Test func aBucketAdmitsTheBurstThenTheRate() {
        var bucket = TokenBucket(RateLimit(perSecond: 10, burst: 5))
        let now = MonotonicTime.ms(1_000)
        for _ in 0..<5 { #expect(bucket.admit(now: now) == .admitted) }
        #expect(bucket.admit(now: now) == .limited(retryAfter_s: 1))
        #expect(bucket.admit(now: .ms(1_099)) == .limited(retryAfter_s: 1))
        #expect(bucket.admit(now: .ms(1_100)) == .admitted)
        #expect(bucket.admit(now: .ms(1_100)) == .limited(retryAfter_s: 1))
        // Quiet for long: the burst, no more.
        for _ in 0..<5 { #expect(bucket.admit(now: .ms(60_000)) == .admitted) }
        #expect(bucket.admit(now: .ms(60_000)) != .admitted)
    }

    @Test func retryAfterSaysHowLongTheBucketNeeds() {
        var bucket = TokenBucket(RateLimit(perSecond: 0.1, burst: 1))
        #expect(bucket.admit(now: .zero) == .admitted)
        #expect(bucket.admit(now: .ms(1)) == .limited(retryAfter_s: 10))
        #expect(bucket.admit(now: .ms(7_500)) == .limited(retryAfter_s: 3))
        #expect(bucket.admit(now: .ms(10_000)) == .admitted)
    }

    @Test func overAMinuteTheRateIsExact() {
        var bucket = TokenBucket(RateLimit(perSecond: 50, burst: 10))
        var admitted = 0
        for millisecond in 0..<60_000 where bucket.admit(now: .ms(Int64(millisecond))) == .admitted { admitted += 1 }
        #expect((3_000...3_010).contains(admitted))
    }

    @Test func sourcesAreLimitedApart() {
        var limiter = SourceRateLimiter(RateLimit(perSecond: 1, burst: 1), sourceLimit: 8)
        #expect(limiter.admit(.v4(1), now: .zero) == .admitted)
        #expect(limiter.admit(.v4(1), now: .zero) == .limited(retryAfter_s: 1))
        #expect(limiter.admit(.v4(2), now: .zero) == .admitted)
        #expect(limiter.admit(.v6(0, 1), now: .zero) == .admitted)
    }

    /// I8: the table has a limit, and reaching it gives a clear answer.
    @Test func aFloodFromManySourcesIsLimitedAsOne() {
        var limiter = SourceRateLimiter(RateLimit(perSecond: 1, burst: 2), sourceLimit: 8)
        var admitted = 0
        for source in 0..<1_000 where limiter.admit(.v4(UInt32(source)), now: .zero) == .admitted { admitted += 1 }
        #expect(limiter.sourceCount == 8)
        #expect(admitted == 10)
    }

    @Test func idleSourcesMakeRoom() {
        var limiter = SourceRateLimiter(RateLimit(perSecond: 1, burst: 1), sourceLimit: 8)
        for source in 0..<8 { _ = limiter.admit(.v4(UInt32(source)), now: .zero) }
        #expect(limiter.admit(.v4(99), now: .ms(2_000)) == .admitted)
        #expect(limiter.sourceCount == 1)
    }

    @Test func onlyAllowedBlocksMaySend() throws {
        let rules = SourceRules(allowed: [try #require(CIDR("10.0.0.0/8")), try #require(CIDR("2001:db8::/32"))])
        #expect(rules.permits(try #require(IPAddress("10.9.8.7"))))
        #expect(rules.permits(try #require(IPAddress("2001:db8::5"))))
        #expect(!rules.permits(try #require(IPAddress("11.0.0.1"))))
        #expect(!SourceRules(allowed: []).permits(try #require(IPAddress("10.9.8.7"))))
    }
}
