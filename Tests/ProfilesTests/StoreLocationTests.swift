import Testing

@testable import Profiles

@Suite struct StoreLocationTests {
    @Test(arguments: [
        "postgres://db/bank", "postgresql://li:s@db-1:5432,db-2:5433/bank?sslmode=verify-full",
        "postgres://[::1]:5432/x",
        "postgres:///bank?host=/run/postgresql", "postgres://li@db",
    ]) func urlsOfPostgresAreTaken(_ url: String) { #expect(StoreLocation(url) == .postgres(url: url)) }

    @Test(arguments: [
        "", "sqlite:", "postgres:", "postgres://", "postgres:///bank", "postgres://db:0/bank",
        "postgres://db:99999/bank",
        "postgres://db:x/bank", "postgres://db,,db2/bank", "postgres://db /bank", "postgres://[::1/bank",
        "mysql://db/bank",
        "tandem.sqlite",
    ]) func othersAreRefused(_ text: String) { #expect(StoreLocation(text) == nil) }

    @Test func aPathIsTakenAsItIs() {
        #expect(StoreLocation("sqlite:/var/lib/t.sqlite") == .sqlite(path: "/var/lib/t.sqlite"))
    }

    @Test(arguments: [
        ("postgres://li:s3cret@db:5432/bank", "postgres://li:...@db:5432/bank"),
        ("postgres://li:s3@cr/et@db/bank", "postgres://li:...@db/bank"),
        ("postgres://li@db/bank", "postgres://li@db/bank"),
        (
            "postgres://db/bank?user=li&password=s3cret&sslmode=require&sslpassword=s3cret",
            "postgres://db/bank?user=li&password=...&sslmode=require&sslpassword=..."
        ),
        ("sqlite:tandem.sqlite", "sqlite:tandem.sqlite"),
    ]) func noPasswordIsShown(_ text: String, _ shown: String) {
        #expect(StoreLocation.withoutPassword(text) == shown)
        #expect(StoreLocation(text).map { "\($0)" } ?? shown == shown)
    }
}
