import CoreMetrics
import Testing

@testable import Telemetry

struct MetricRegistryTests {
    @Test func textHasHelpTypeAndSortedSamples() {
        let registry = MetricRegistry()
        registry.counter("b_total", help: "Second.", labels: [Label("x", "2")]).add(5)
        registry.counter("b_total", help: "Second.", labels: [Label("x", "1")]).add()
        registry.gauge("a", help: "First.").set(2.5)
        #expect(
            registry.render() == """
                # HELP a First.
                # TYPE a gauge
                a 2.5
                # HELP b_total Second.
                # TYPE b_total counter
                b_total{x="1"} 1
                b_total{x="2"} 5

                """)
    }

    /// Exposition format 0.0.4: label values escape backslash, quotation mark and line feed; help texts the first and last.
    @Test func textIsEscaped() {
        let registry = MetricRegistry()
        registry.counter("a_total", help: "back\\slash\n\"", labels: [Label("path", "C:\\\"x\"\n")]).add()
        #expect(
            registry.render() == #"""
                # HELP a_total back\\slash\n"
                # TYPE a_total counter
                a_total{path="C:\\\"x\"\n"} 1

                """#)
    }

    @Test func histogramIsCumulative() {
        let registry = MetricRegistry()
        let histogram = registry.histogram("t_seconds", help: "T.", bounds: [0.1, 1], labels: [Label("k", "v")])
        for value in [0.05, 0.1, 0.5, 7] { histogram.record(value) }
        histogram.record(.nan)
        #expect(
            registry.render() == """
                # HELP t_seconds T.
                # TYPE t_seconds histogram
                t_seconds_bucket{k="v",le="0.1"} 2
                t_seconds_bucket{k="v",le="1"} 3
                t_seconds_bucket{k="v",le="+Inf"} 4
                t_seconds_sum{k="v"} 7.65
                t_seconds_count{k="v"} 4

                """)
    }

    @Test func sameNameAndLabelsAreTheSameInstrumentInAnyOrder() {
        let registry = MetricRegistry()
        let first = registry.counter("a_total", help: "", labels: [Label("x", "1"), Label("y", "2")])
        let second = registry.counter("a_total", help: "", labels: [Label("y", "2"), Label("x", "1")])
        #expect(first === second)
    }

    @Test func sourcesAreReadWhenTheTextIsAskedFor() {
        let registry = MetricRegistry()
        let depth = Gauge()
        NodeMetrics(registry).mailboxDepth(loop: "sip") { Int(depth.value) }
        depth.set(3)
        #expect(registry.render().contains("tandem_mailbox_depth{loop=\"sip\"} 3\n"))
        depth.set(4)
        #expect(registry.render().contains("tandem_mailbox_depth{loop=\"sip\"} 4\n"))
    }

    @Test func labelFromOutsideCannotFillMemory() {
        let registry = MetricRegistry()
        for number in 0..<(MetricRegistry.seriesLimit + 5) {
            registry.counter("a_total", help: "", labels: [Label("x", "\(number)")]).add()
        }
        let lines = registry.render().split(separator: "\n")
        #expect(lines.count { $0.hasPrefix("a_total{") } == MetricRegistry.seriesLimit)
        #expect(lines.last == "tandem_metric_series_refused_total 5")
    }

    @Test func removedSeriesIsGone() {
        let registry = MetricRegistry()
        let metrics = NodeMetrics(registry)
        metrics.nodeUp("center-a").set(1)
        metrics.nodeUp("center-b").set(1)
        registry.remove("tandem_node_up", labels: [Label("node", "center-a")])
        #expect(!registry.render().contains("center-a"))
        #expect(registry.render().contains("tandem_node_up{node=\"center-b\"} 1\n"))
    }

    @Test(arguments: [
        (0.0, "0"), (1e15, "1000000000000000"), (-3, "-3"), (0.25, "0.25"), (.infinity, "+Inf"), (-.infinity, "-Inf"),
        (.nan, "NaN"), (1e300, "1e+300"),
    ])
    func numbersAreWrittenAsPrometheusReadsThem(value: Double, text: String) {
        #expect(PrometheusText.number(value) == text)
    }

    @Test func countersOfManyThreadsLoseNothing() async {
        let counter = Counter()
        let gauge = Gauge()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        counter.add()
                        gauge.add(1)
                    }
                }
            }
        }
        #expect(counter.value == 8000)
        #expect(gauge.value == 8000)
    }

    @Test func metricsOfLibrariesAppear() {
        let registry = MetricRegistry()
        let factory = RegistryMetricsFactory(registry)
        factory.makeCounter(label: "hb.requests", dimensions: [("status", "200")]).increment(by: 3)
        factory.makeTimer(label: "hb.request.duration", dimensions: []).recordNanoseconds(2_000_000)
        factory.makeMeter(label: "9lives", dimensions: []).set(9.0)
        let text = registry.render()
        #expect(text.contains("hb_requests{status=\"200\"} 3\n"))
        #expect(text.contains("hb_request_duration_seconds_bucket{le=\"0.0025\"} 1\n"))
        #expect(text.contains("hb_request_duration_seconds_sum 0.002\n"))
        #expect(text.contains("_9lives 9\n"))
    }

    @Test func contractNamesAppear() {
        let registry = MetricRegistry()
        let metrics = NodeMetrics(registry)
        metrics.callsActive.set(1)
        metrics.calls(end: "caller").add()
        metrics.setupSeconds.record(.milliseconds(20))
        metrics.sipMessages(method: "INVITE", direction: .received).add()
        metrics.sipRejected(reason: "syntax").add()
        metrics.rtpPackets(.sent).add()
        metrics.takeoverCalls.add()
        metrics.takeoverSeconds.record(.milliseconds(900))
        metrics.takeoverWaiting.set(4)
        metrics.standstills.add()
        metrics.isolations.add()
        metrics.bankDoubts.add()
        metrics.queueWaiting("banking").set(2)
        metrics.agents(state: "ready").set(3)
        metrics.storeBatchSeconds.record(.milliseconds(2))
        let text = registry.render()
        for sample in [
            "tandem_calls_active 1", "tandem_calls_total{end=\"caller\"} 1",
            "tandem_setup_seconds_bucket{le=\"0.025\"} 1",
            "tandem_sip_messages_total{direction=\"in\",method=\"INVITE\"} 1",
            "tandem_sip_rejected_total{reason=\"syntax\"} 1", "tandem_rtp_packets_total{direction=\"out\"} 1",
            "tandem_takeover_calls_total 1", "tandem_takeover_seconds_bucket{le=\"1\"} 1",
            "tandem_takeover_waiting 4", "tandem_standstills_total 1", "tandem_isolations_total 1",
            "tandem_bank_doubts_total 1",
            "tandem_queue_waiting{queue=\"banking\"} 2", "tandem_agents{state=\"ready\"} 3",
            "tandem_store_batch_seconds_sum 0.002",
        ] {
            #expect(text.contains(sample + "\n"), "\(sample)")
        }
    }
}
