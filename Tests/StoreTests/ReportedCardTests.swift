import Banking
import Session
import Store
import Testing

/// A customer whose card is reported is informed, and sends no money.
extension BankContractTests {
    @Test(arguments: EngineKind.allCases) func aReportedCardRefusesTransfersAndNothingElse(_ kind: EngineKind) throws {
        var store = try opened(kind, [1000, 500])
        let (one, two) = (try Given.customer(1), try Given.customer(2))
        func ask(_ request: LedgerRequest) -> StoreReply { store.ask(.bank(BankRequest(request))) }
        #expect(ask(try Given.transfer("before", from: 1, to: 2, 100)) == .bank(.done))
        #expect(ask(LedgerRequest(customer: one, .reportCard(try #require(OperationID("report"))))) == .bank(.done))
        #expect(ask(try Given.transfer("after", from: 1, to: 2, 100)) == .bank(.refused(.cardReported)))
        // Its answer stays what it was, as for every operation id.
        #expect(ask(try Given.transfer("before", from: 1, to: 2, 100)) == .bank(.done))
        #expect(ask(LedgerRequest(customer: one, .balance)) == .bank(.balance(Money(minor: 900, currency: .cny))))
        #expect(ask(LedgerRequest(customer: two, .checkPayee(one))) == .bank(.ok))
        #expect(ask(try Given.transfer("in", from: 2, to: 1, 50)) == .bank(.done))
        #expect(store.ask(.accounts(includingBank: false)).accounts.map(\.balanceMinor) == [950, 550])
        #expect(store.ask(.transfers(limit: 99)).transfers.map(\.result).contains("refused-card-reported"))
        #expect(store.ask(.audit).audit?.ok == true)
    }
}
