import Primitives

/// Each part writes the keys that its `Codable` conformance reads; the tests hold the two together.
extension Checkpoint {
    func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("v", version)
            json.array("dialogs", dialogs) { $1.write(to: &$0) }
            json.array("media", media) { $1.write(to: &$0) }
            if let menu { json.object("menu") { menu.write(to: &$0) } }
            json.object("record") { record.write(to: &$0) }
        }
    }
}

extension DialogCheckpoint {
    fileprivate func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("leg", leg.rawValue)
            json.field("role", role.rawValue)
            json.field("state", state.rawValue)
            json.field("callID", callID)
            json.field("localTag", localTag)
            json.field("remoteTag", remoteTag)
            json.field("localURI", localURI)
            json.field("remoteURI", remoteURI)
            json.field("localCSeq", localCSeq)
            json.field("localInviteCSeq", localInviteCSeq)
            json.field("remoteCSeq", remoteCSeq)
            json.field("routeSet", routeSet)
            json.field("remoteTarget", remoteTarget)
            json.field("flow", flow)
            json.field("signalledFrom", signalledFrom)
            json.field("allowsUPDATE", allowsUPDATE)
            json.field("secure", secure)
            json.object("invite") { json in
                json.field("role", invite.role.rawValue)
                json.field("cseq", invite.cseq)
                json.field("acknowledged", invite.acknowledged)
                json.field("vias", invite.vias)
                json.field("recordRoutes", invite.recordRoutes)
                json.field("awaitsAnswer", invite.awaitsAnswer)
            }
            json.field("localSDP", localSDP)
            json.field("remoteSDP", remoteSDP)
            if let timer {
                json.object("timer") { json in
                    json.field("interval_s", timer.interval)
                    json.field("refresher", timer.refresher.rawValue)
                    json.field("deadline", timer.deadline)
                }
            }
            if let ending {
                json.object("ending") { json in
                    json.field("kind", ending.kind.rawValue)
                    json.field("detail", ending.detail)
                }
            }
        }
    }
}

extension MediaCheckpoint {
    fileprivate func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("leg", leg.rawValue)
            json.field("codec", codec)
            json.field("payloadType", payloadType)
            json.field("telephoneEventType", telephoneEventType)
            json.field("packetTime_ms", packetTime)
            json.field("direction", direction.rawValue)
            json.field("signalledAddress", signalledAddress)
            json.field("latchedAddress", latchedAddress)
            json.field("origin", origin)
            json.field("originVersion", originVersion)
        }
    }
}

extension MenuCheckpoint {
    fileprivate func write(to json: inout JSONWriter) {
        json.field("menu", menu)
        json.field("hash", hash)
        json.field("state", state)
        json.field("machine", machine)
        json.field("stack", stack)
        json.field("variables", variables)
        json.field("language", language)
        if let login {
            json.object("login") { json in
                json.field("customer", login.customer)
                json.field("expires", login.expires)
            }
        }
        json.field("retries", retries)
        if let pendingOperation {
            json.object("pendingOperation") { json in
                json.field("id", pendingOperation.id)
                json.field("phase", pendingOperation.phase.rawValue)
            }
        }
    }
}

extension CallRecord {
    fileprivate func write(to json: inout JSONWriter) {
        json.field("id", id.description)
        json.field("line", line)
        json.field("from", from)
        json.field("centers", centers)
        json.field("started", started)
        json.field("answered", answered)
        json.field("ended", ended)
        json.field("end", end?.rawValue)
        json.field("path", path)
        json.field("takeovers", takeovers)
    }
}
