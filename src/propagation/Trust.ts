/**
 * Whom this process believes, and to whom it tells more than it has to: one setting for everything that crosses its border.
 *
 * **Callers.** What a caller that is not trusted says about the trace is not taken over: its sampling decision, its
 * baggage (a user's id may be in it) and its correlation ids are ignored, and the request gets a trace of its own, linked
 * to the caller's. By default every caller is trusted, which is right behind a gateway and wrong for a server that
 * strangers reach.
 *
 * **Hosts.** Baggage, and with it the user's id, is sent only to hosts that are named. By default none is. The trace
 * itself (`traceparent`, `tracestate`) and the correlation ids go to every host.
 *
 * **Example** (A server that strangers reach, and a private network behind it)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Trust from "effect-telemetry/propagation/Trust"
 *
 * const program = Effect.map(Trust.CurrentTrust, (trust) => [
 *   trust.callers({ address: "203.0.113.7", headers: {} }),
 *   trust.hosts("search.internal", 9200)
 * ])
 *
 * const live = Trust.layer({ callers: ["10.0.0.0/8"], hosts: ["*.internal"] })
 * console.log(await Effect.runPromise(Effect.provide(program, live))) // [ false, true ]
 * ```
 *
 * @see https://www.w3.org/TR/trace-context-2/#security-considerations
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"

/** Who sends a request. */
export interface Caller {
  /** The address at the other end of the connection; `undefined` where there is none, as on a Unix socket. */
  readonly address: string | undefined
  /** The headers of the request, names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

/** Whom this process trusts. */
export interface Trust {
  /** Whether what a caller says of the trace is taken over: its sampling, its baggage, its ids. */
  readonly callers: (caller: Caller) => boolean
  /** Asked with the host's name or address in lower case, an IPv6 address without brackets. */
  readonly hosts: (host: string, port: number | undefined) => boolean
}

/** What can be said about trust. */
export interface Options {
  /**
   * All (`true`), none, those at an address or in a network (`"10.0.0.0/8"`, `"::1"`), or those a function finds
   * trustworthy. Default: all.
   */
  readonly callers?: boolean | ReadonlyArray<string> | ((caller: Caller) => boolean) | undefined
  /**
   * All (`true`), none, those named (`"api.example.com"`, `"localhost:9200"`, `"[::1]:9200"`, or `"*.internal"` for every name
   * that ends so), or those a function finds trustworthy. Default: none.
   */
  readonly hosts?: boolean | ReadonlyArray<string> | ((host: string, port: number | undefined) => boolean) | undefined
}

/** A network or a host that can't be read. */
export class TrustError extends Data.TaggedError("TrustError")<{
  readonly setting: "callers" | "hosts"
  /** The value, cut at 128 characters. */
  readonly value: string
}> {
  override get message(): string {
    const accepted =
      this.setting === "callers"
        ? "an IP address or a network such as 10.0.0.0/8"
        : "a host name or address, one with its port (an IPv6 address in brackets), or *.domain"
    return `Trust setting "${this.setting}" has ${JSON.stringify(this.value)}: accepted is ${accepted}`
  }
}

/** Makes a trust of its description. A function that throws trusts nobody. */
export const make = (options: Options): Result.Result<Trust, TrustError> =>
  Result.gen(function* () {
    const callers = yield* makeCallers(options.callers ?? true)
    const hosts = yield* makeHosts(options.hosts ?? false)
    return { callers: guarded(callers), hosts: guarded(hosts) }
  })

const guarded =
  <Args extends ReadonlyArray<unknown>>(predicate: (...args: Args) => boolean) =>
  (...args: Args): boolean => {
    try {
      return predicate(...args) === true
    } catch {
      return false
    }
  }

const makeCallers = (callers: NonNullable<Options["callers"]>): Result.Result<Trust["callers"], TrustError> => {
  if (typeof callers === "function") return Result.succeed(callers)
  if (typeof callers === "boolean") return Result.succeed(() => callers)
  const networks: Array<IpNetwork.IpNetwork> = []
  for (const value of callers) {
    const network = parseNetwork(value)
    if (network === undefined) {
      return Result.fail(new TrustError({ setting: "callers", value: value.slice(0, 128) }))
    }
    networks.push(network)
  }
  return Result.succeed((caller) => {
    const address = caller.address === undefined ? undefined : parseAddress(caller.address)
    return address !== undefined && networks.some((network) => IpNetwork.contains(network, address))
  })
}

const parseAddress = (text: string): NetAddress.IpAddress | undefined => {
  const address = Result.getOrUndefined(NetAddress.ipFromString(text))
  return address === undefined ? undefined : NetAddress.toCanonical(address)
}

const parseNetwork = (text: string): IpNetwork.IpNetwork | undefined => {
  if (text.includes("/")) return Result.getOrUndefined(IpNetwork.fromString(text))
  const address = parseAddress(text)
  return address === undefined ? undefined : IpNetwork.fromAddressUnsafe(address, NetAddress.width(address))
}

const hostPattern = /^(\*\.)?(\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)(?::([0-9]{1,5}))?$/

/** With a port it needs its brackets; alone it may go without, as among the callers. */
const bareAddress = /^[0-9a-f]{0,4}:[0-9a-f:.]*$/

const makeHosts = (hosts: NonNullable<Options["hosts"]>): Result.Result<Trust["hosts"], TrustError> => {
  if (typeof hosts === "function") return Result.succeed(hosts)
  if (typeof hosts === "boolean") return Result.succeed(() => hosts)
  const tests: Array<Trust["hosts"]> = []
  for (const value of hosts) {
    const lower = value.toLowerCase()
    const isAddress = bareAddress.test(lower) && parseAddress(lower) !== undefined
    const match = hostPattern.exec(isAddress ? `[${lower}]` : lower)
    if (match === null) return Result.fail(new TrustError({ setting: "hosts", value: value.slice(0, 128) }))
    const wildcard = match[1] !== undefined
    const name = match[2]!.replace(/^\[|\]$/g, "")
    const port = match[4] === undefined ? undefined : Number(match[4])
    tests.push(
      (host, hostPort) =>
        (port === undefined || port === hostPort) && (wildcard ? host.endsWith(`.${name}`) : host === name)
    )
  }
  // The dot at the end of a fully qualified name does not make another host.
  return Result.succeed((host, port) => tests.some((test) => test(host.replace(/\.$/, ""), port)))
}

/** The trust in use: every caller, no host. */
export const CurrentTrust: Context.Reference<Trust> = Context.Reference<Trust>(
  "effect-telemetry/propagation/Trust/CurrentTrust",
  { defaultValue: () => ({ callers: () => true, hosts: () => false }) }
)

/** Sets the trust. Fails where a network or a host can't be read. */
export const layer = (options: Options): Layer.Layer<never, TrustError> =>
  Layer.effect(CurrentTrust, Effect.fromResult(make(options)))
