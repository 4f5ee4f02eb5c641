import Banking
import Media
import Menu
import Primitives
import Routing
import SIP
import Session
import Store

/// What happens to a center's core besides SIP messages and the passing of time.
public enum CenterEvent: Sendable {
    /// RTP's local endpoint as callers reach it; RTCP is the next port.
    case mediaOpened(CallHandle, Endpoint)
    case mediaRefused(CallHandle)
    case media(CallHandle, MediaEvent)
    case stored(StorePurpose, StoreReply)
    case bank(CallHandle, OperationCall, BankOutcome)
    /// A connection broke or a peer refused by ICMP: what waits for an answer from there need not wait.
    case unreachable(Flow)
    /// Menus as they are to be used by new calls, by line.
    case menus([String: MenuDefinition])
    /// What the operator wants of this node, as the master's pings say.
    case administered(AdministrativeState)
    /// The others hold this incarnation for dead: its calls are theirs, and it goes on as a new one without any.
    case fenced(newIdentity: NodeIdentity)
    /// A loop of this node did not run for that long, until then. `hasBacklog`: it was the one that reads datagrams, and
    /// what waits there may be older.
    case stoodStill(Duration, until: MonotonicTime, hasBacklog: Bool)
    /// What is read from the sockets now was sent after the last standstill.
    case caughtUp
    /// A message for a connection that was not written, because the process stood still after it was handed in, then.
    case unwritten([UInt8], Flow, since: MonotonicTime)
    /// SIGTERM: no new calls; `CenterCore.isIdle` tells when it may end.
    case shutDown
    /// The time for callers to finish is over: end all calls.
    case endAllCalls
}
