import CoreMetrics

/// Lets libraries that report by swift-metrics appear in the node's registry. Names are made to fit
/// (`hb.requests` becomes `hb_requests`); timers become histograms in seconds.
public struct RegistryMetricsFactory: MetricsFactory {
    private let registry: MetricRegistry

    public init(_ registry: MetricRegistry) { self.registry = registry }

    private static let help = "Reported by a library."

    private func labels(_ dimensions: [(String, String)]) -> [Label] {
        dimensions.map { Label(PrometheusText.name(from: $0.0).replacing(":", with: "_"), $0.1) }
    }

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let name = PrometheusText.name(from: label)
        return RegistryCounter(registry.counter(name, help: Self.help, labels: labels(dimensions)))
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        let name = PrometheusText.name(from: label)
        guard aggregate else {
            return RegistryGauge(registry.gauge(name, help: Self.help, labels: labels(dimensions)))
        }
        return RegistryHistogram(
            registry.histogram(name, help: Self.help, labels: labels(dimensions)), unitsPerSecond: 1)
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        let name = PrometheusText.name(from: label)
        return RegistryGauge(registry.gauge(name, help: Self.help, labels: labels(dimensions)))
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let name = PrometheusText.name(from: label) + "_seconds"
        let histogram = registry.histogram(
            name, help: Self.help, bounds: Histogram.shortTimes, labels: labels(dimensions))
        return RegistryHistogram(histogram, unitsPerSecond: 1e9)
    }

    // Instruments live as long as the node: a series that vanishes and comes back would look like a restart.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}
}

private final class RegistryCounter: CounterHandler {
    private let counter: Counter
    init(_ counter: Counter) { self.counter = counter }
    func increment(by amount: Int64) { counter.add(UInt64(clamping: amount)) }
    /// Counters never go back; a reader takes that for a restart.
    func reset() {}
}

private final class RegistryGauge: RecorderHandler, MeterHandler {
    private let gauge: Gauge
    init(_ gauge: Gauge) { self.gauge = gauge }
    func record(_ value: Int64) { gauge.set(Double(value)) }
    func record(_ value: Double) { gauge.set(value) }
    func set(_ value: Int64) { gauge.set(Double(value)) }
    func set(_ value: Double) { gauge.set(value) }
    func increment(by amount: Double) { gauge.add(amount) }
    func decrement(by amount: Double) { gauge.add(-amount) }
}

private final class RegistryHistogram: RecorderHandler, TimerHandler {
    private let histogram: Histogram
    private let unitsPerSecond: Double
    init(_ histogram: Histogram, unitsPerSecond: Double) {
        self.histogram = histogram
        self.unitsPerSecond = unitsPerSecond
    }
    func record(_ value: Int64) { histogram.record(Double(value) / unitsPerSecond) }
    func record(_ value: Double) { histogram.record(value / unitsPerSecond) }
    func recordNanoseconds(_ duration: Int64) { histogram.record(Double(duration) / unitsPerSecond) }
    func preferDisplayUnit(_ unit: TimeUnit) {}
}
