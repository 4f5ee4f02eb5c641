import Synchronization

/// A label's name and value.
public struct Label: Hashable, Sendable {
    public var name: String
    public var value: String
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// All metrics of a node, and their text in the Prometheus exposition format, version 0.0.4.
/// Asking twice for the same name and labels gives the same instrument.
public final class MetricRegistry: Sendable {
    /// The most label combinations of one name. Further ones share an instrument that is not shown, and are counted in
    /// `tandem_metric_series_refused_total`: a label that takes values from outside must not fill memory.
    public static let seriesLimit = 1000

    private enum Instrument: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
        case countSource(@Sendable () -> UInt64)
        case valueSource(@Sendable () -> Double)

        var kind: String {
            switch self {
            case .counter, .countSource: "counter"
            case .gauge, .valueSource: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    private struct Family: Sendable {
        var help: String
        var kind: String
        var series: [[Label]: Instrument] = [:]
        var overflow: Instrument?
    }

    private let families = Mutex<[String: Family]>([:])
    private let refusedSeries = Counter()

    public init() {}

    public func counter(_ name: String, help: String, labels: [Label] = []) -> Counter {
        guard case .counter(let found) = instrument(name, help, labels, make: { .counter(Counter()) }) else {
            return Counter()
        }
        return found
    }

    public func gauge(_ name: String, help: String, labels: [Label] = []) -> Gauge {
        guard case .gauge(let found) = instrument(name, help, labels, make: { .gauge(Gauge()) }) else { return Gauge() }
        return found
    }

    public func histogram(
        _ name: String, help: String, bounds: [Double] = Histogram.waitingTimes, labels: [Label] = []
    ) -> Histogram {
        let made = instrument(name, help, labels) { .histogram(Histogram(bounds: bounds)) }
        guard case .histogram(let found) = made else { return Histogram(bounds: bounds) }
        return found
    }

    /// A counter that is read where it is kept, when the text is asked for.
    public func count(_ name: String, help: String, labels: [Label] = [], read: @escaping @Sendable () -> UInt64) {
        _ = instrument(name, help, labels, replacing: true) { .countSource(read) }
    }

    /// A gauge that is read where it is kept, such as the depth of a mailbox.
    public func value(_ name: String, help: String, labels: [Label] = [], read: @escaping @Sendable () -> Double) {
        _ = instrument(name, help, labels, replacing: true) { .valueSource(read) }
    }

    /// Forgets one series, such as that of a node that left.
    public func remove(_ name: String, labels: [Label]) {
        families.withLock { $0[name]?.series[labels.sorted { $0.name < $1.name }] = nil }
    }

    /// Finds or makes. A name that was made as another kind keeps it: what is asked for then is not shown.
    private func instrument(
        _ name: String, _ help: String, _ labels: [Label], replacing: Bool = false, make: () -> Instrument
    ) -> Instrument {
        precondition(PrometheusText.isName(name), "\(name) is not a metric's name")
        let key = labels.sorted { $0.name < $1.name }
        return families.withLock { families in
            var family = families[name] ?? Family(help: help, kind: make().kind)
            defer { families[name] = family }
            if !replacing, let found = family.series[key] { return found }
            let made = make()
            guard made.kind == family.kind else { return made }
            if family.series[key] == nil, family.series.count >= Self.seriesLimit {
                refusedSeries.add()
                let shared = family.overflow ?? made
                family.overflow = shared
                return shared
            }
            family.series[key] = made
            return made
        }
    }

    /// The text that `GET /metrics` answers; names and labels in alphabetical order.
    public func render() -> String {
        let snapshot = families.withLock { $0 }
        var text = PrometheusText()
        for (name, family) in snapshot.sorted(by: { $0.key < $1.key }) where !family.series.isEmpty {
            text.describe(name, help: family.help, kind: family.kind)
            let series = family.series.map { (labels: PrometheusText.render($0.key), instrument: $0.value) }
            for (labels, instrument) in series.sorted(by: { $0.labels < $1.labels }) {
                switch instrument {
                case .counter(let counter): text.sample(name, labels, PrometheusText.number(counter.value))
                case .countSource(let read): text.sample(name, labels, PrometheusText.number(read()))
                case .gauge(let gauge): text.sample(name, labels, PrometheusText.number(gauge.value))
                case .valueSource(let read): text.sample(name, labels, PrometheusText.number(read()))
                case .histogram(let histogram): text.histogram(name, labels, histogram)
                }
            }
        }
        if refusedSeries.value > 0 {
            let name = "tandem_metric_series_refused_total"
            text.describe(name, help: "Label combinations over the limit of a metric.", kind: "counter")
            text.sample(name, "", PrometheusText.number(refusedSeries.value))
        }
        return text.result
    }
}
