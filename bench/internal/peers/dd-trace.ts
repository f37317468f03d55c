/**
 * dd-trace by hand: `tracer.trace` around each async function, sent to an agent in its own protocol. Everything that is not
 * tracing is off: instrumentations, profiler, metrics, and what it reports of itself.
 */
import { client, clientAttributes, operations, type Peer, serverAttributes, serverName } from "../workload.ts"

/** To be set before the process starts: dd-trace reads them when it is loaded. */
export const ddTraceEnvironment = {
  DD_INSTRUMENTATION_TELEMETRY_ENABLED: "false",
  DD_REMOTE_CONFIGURATION_ENABLED: "false",
  DD_RUNTIME_METRICS_ENABLED: "false",
  DD_CRASHTRACKING_ENABLED: "false",
  DD_TRACE_STARTUP_LOGS: "false",
  DD_TRACE_RATE_LIMIT: "-1"
}

/** Of what is not declared: how to wait for what was sent. */
interface Internals {
  readonly _tracer: { readonly _exporter: { readonly flush: (done: () => void) => void } }
}

export const ddTrace = async (origin: string): Promise<Peer> => {
  const { default: tracer } = await import("dd-trace")
  tracer.init({ url: origin, service: "bench", plugins: false, logInjection: false, sampleRate: 1 })
  const call = (operation: string, request: number) =>
    tracer.trace(operation, { tags: { "span.kind": "client", ...clientAttributes(operation, request) } }, () =>
      client(request)
    )
  return {
    request: (request) =>
      tracer.trace(serverName, { tags: { "span.kind": "server", ...serverAttributes() } }, async () => {
        let sum = 0
        for (let i = 0; i < operations.length; i++) sum += await call(operations[i]!, request)
        return sum
      }),
    flush: () => new Promise((resolve) => (tracer as unknown as Internals)._tracer._exporter.flush(resolve))
  }
}
