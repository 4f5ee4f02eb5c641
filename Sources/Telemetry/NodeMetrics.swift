/// The metrics that every reader of Tandem may rely on, by their fixed names. A role uses those that are its own.
public struct NodeMetrics: Sendable {
    public let registry: MetricRegistry

    public init(_ registry: MetricRegistry) { self.registry = registry }

    public var callsActive: Gauge { registry.gauge("tandem_calls_active", help: "Calls in progress at this node.") }

    /// `end`: how the call ended, as in its record (caller, menu, agent, operator, limit, lost).
    public func calls(end: String) -> Counter {
        registry.counter("tandem_calls_total", help: "Calls that ended, by how.", labels: [Label("end", end)])
    }

    public var setupSeconds: Histogram {
        registry.histogram("tandem_setup_seconds", help: "From INVITE to the final answer.")
    }

    public func sipMessages(method: String, direction: Direction) -> Counter {
        registry.counter(
            "tandem_sip_messages_total", help: "SIP requests and responses, by method of the request.",
            labels: [Label("method", method), Label("direction", direction.rawValue)])
    }

    public func sipRejected(reason: String) -> Counter {
        registry.counter(
            "tandem_sip_rejected_total", help: "SIP messages that were not accepted, by why.",
            labels: [Label("reason", reason)])
    }

    public func rtpPackets(_ direction: Direction) -> Counter {
        registry.counter(
            "tandem_rtp_packets_total", help: "RTP packets.", labels: [Label("direction", direction.rawValue)])
    }

    public var takeoverCalls: Counter {
        registry.counter("tandem_takeover_calls_total", help: "Calls that this node took over.")
    }

    public var takeoverSeconds: Histogram {
        registry.histogram("tandem_takeover_seconds", help: "From the fence to the first RTP of a call taken over.")
    }

    /// Sessions of dead centers that this one takes over and whose callers it may not tell yet.
    public var takeoverWaiting: Gauge {
        registry.gauge("tandem_takeover_waiting", help: "Sessions of dead centers on their way to this node.")
    }

    public var standstills: Counter {
        registry.counter(
            "tandem_standstills_total", help: "Times that a loop stood still for so long that the node fell silent.")
    }

    public var isolations: Counter {
        registry.counter("tandem_isolations_total", help: "Times that neither store, master nor access was heard.")
    }

    public var bankDoubts: Counter {
        registry.counter("tandem_bank_doubts_total", help: "Bank operations whose outcome was unknown at first.")
    }

    public func nodeUp(_ node: String) -> Gauge {
        registry.gauge(
            "tandem_node_up", help: "1 while the master takes the node for up.", labels: [Label("node", node)])
    }

    public func queueWaiting(_ queue: String) -> Gauge {
        registry.gauge("tandem_queue_waiting", help: "Callers waiting in a queue.", labels: [Label("queue", queue)])
    }

    public func agents(state: String) -> Gauge {
        registry.gauge("tandem_agents", help: "Agents by state.", labels: [Label("state", state)])
    }

    public var storeBatchSeconds: Histogram {
        registry.histogram(
            "tandem_store_batch_seconds", help: "Duration of one batch of writes.", bounds: Histogram.shortTimes)
    }

    /// Reads the depth of a loop's mailbox whenever the text is asked for.
    public func mailboxDepth(loop: String, read: @escaping @Sendable () -> Int) {
        registry.value(
            "tandem_mailbox_depth", help: "Messages that wait for a loop.", labels: [Label("loop", loop)]
        ) { Double(read()) }
    }

    public enum Direction: String, Sendable { case received = "in", sent = "out" }
}
