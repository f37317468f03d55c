/**
 * Attempts of clients that send with Node's own `fetch`: each request is a client span of the fiber that called the client,
 * carries its headers, and is given up when that fiber is interrupted.
 *
 * `call` runs a client's method that gives a promise. What the client sends meanwhile is traced where it sends through one of
 * the two hooks: `fetch`, for a client that takes a `fetch`, or `dispatcher`, for one that calls the global `fetch` and takes
 * an undici dispatcher ("agent"). Requests that are not made inside of `call` pass through untouched.
 *
 * **Details**
 *
 * A span is named `{METHOD}`; see `AttemptSpan` for what it carries. It lasts until the response's body has arrived, or
 * until `call` ends, whichever is first. Each step of a redirect is a request, so it has a span of its own. Instrumentations
 * of undici stay silent about these requests.
 *
 * **Gotchas**
 *
 * A connection that is being made cannot be given up through undici: the request is, and it is not sent when the connection
 * is there. A mock in place of the global `fetch` that ignores dispatchers is not traced.
 *
 * **Example** (A client that takes a `fetch`)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { createServer } from "node:http"
 * import * as FetchSpans from "effect-telemetry/http/FetchSpans"
 *
 * class Client {
 *   #fetch: typeof fetch
 *   constructor(options: { readonly fetch: typeof fetch }) {
 *     this.#fetch = options.fetch
 *   }
 *   async get(url: string): Promise<string> {
 *     return (await this.#fetch(url)).text()
 *   }
 * }
 *
 * const server = createServer((request, response) => response.end(request.method))
 * await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
 * const { port } = server.address() as { port: number }
 *
 * const client = new Client({ fetch: FetchSpans.fetch })
 * const program = FetchSpans.call(() => client.get(`http://127.0.0.1:${port}`))
 * console.log(await Effect.runPromise(program)) // GET
 * server.close()
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { AsyncLocalStorage } from "node:async_hooks"
import * as Carrier from "../propagation/Carrier.ts"
import * as AttemptSpan from "./AttemptSpan.ts"

/** What is known of the call in which a client sends. */
interface Calling {
  readonly context: Context.Context<never>
  readonly signal: AbortSignal
  /** Ends the spans that are open: a client need not read the body of every response. */
  readonly open: Set<() => void>
}

const calling = new AsyncLocalStorage<Calling>()

/**
 * Calls a client that works with promises. The signal is for a client that takes one; where it takes none, interruption
 * still gives up the requests that it sent through the hooks. Fails with what the promise is rejected with.
 */
export const call = <A>(send: (signal: AbortSignal) => PromiseLike<A>): Effect.Effect<A, unknown> =>
  Effect.withFiber((fiber) => {
    const open = new Set<() => void>()
    const sending = Effect.tryPromise({
      try: (signal) => calling.run({ context: fiber.context, signal, open }, () => send(signal)),
      catch: (error) => error
    })
    return Effect.onExitPrimitive(sending, () => {
      for (const end of open) end()
      return undefined
    })
  })

/** Node's `fetch`, traced inside of `call`. */
export const fetch: typeof globalThis.fetch = (input, init) => {
  const given = (init as { readonly dispatcher?: Dispatcher | undefined } | undefined)?.dispatcher
  return globalThis.fetch(input, {
    ...init,
    dispatcher: given === undefined ? traced : dispatcher(given)
  } as RequestInit)
}

// ---------------------------------------------------------------------------------------------------------------------
// undici
// ---------------------------------------------------------------------------------------------------------------------

/** What is used of undici's dispatchers: those of version 6 to 8, the one inside of Node included. */
export interface Dispatcher {
  readonly dispatch: (options: DispatchOptions, handler: any) => boolean
}

/** What is used of the options of a request. */
export interface DispatchOptions {
  readonly origin?: string | URL | undefined
  readonly path: string
  readonly method: string
  readonly headers?: unknown
}

type Handler = Readonly<Record<string, ((...args: ReadonlyArray<any>) => unknown) | undefined>>

/**
 * A dispatcher that traces what is sent through it inside of `call`, and sends it through the one given: by default through
 * the global one, whose connections all of the process shares.
 */
export const dispatcher = (inner?: Dispatcher): Dispatcher => ({
  dispatch: (options, handler: Handler) => {
    const current = calling.getStore()
    const sender = inner ?? globalDispatcher(handler)
    return current === undefined ? sender.dispatch(options, handler) : attempt(sender, options, handler, current)
  }
})

/**
 * The one through which `fetch` itself would send. Version 8 brought handlers of a new kind, and a second global for them: a
 * process may have both versions.
 */
const globalDispatcher = (handler: Handler): Dispatcher => {
  const globals = globalThis as unknown as Record<symbol, Dispatcher | undefined>
  const first = globals[Symbol.for("undici.globalDispatcher.1")]
  const second = globals[Symbol.for("undici.globalDispatcher.2")]
  return (handler["onRequestStart"] === undefined ? (first ?? second) : (second ?? first))!
}

const attempt = (sender: Dispatcher, options: DispatchOptions, handler: Handler, current: Calling): boolean => {
  let accepted = true
  let thrown: { readonly error: unknown } | undefined
  const sending = AttemptSpan.attempt(options.method, (told) =>
    Effect.callback<void, unknown>((resume) => {
      const settle = (exit: Effect.Effect<void, unknown>): void => {
        current.open.delete(end)
        resume(exit)
      }
      const end = (): void => settle(Effect.void)
      current.open.add(end)
      const watched = watch(handler, told.answered, settle)
      try {
        const headers = withFields(options.headers, told.sentTo(new URL(options.path, options.origin)))
        accepted = AttemptSpan.quietly(() => sender.dispatch({ ...options, headers }, watched.handler))
      } catch (error) {
        thrown = { error }
        settle(Effect.fail(error))
      }
      return Effect.sync(() => {
        current.open.delete(end)
        watched.giveUp()
      })
    })
  )
  // Its outcome is on its span, and with the client.
  Effect.runForkWith(current.context)(Effect.exit(sending), { signal: current.signal })
  if (thrown !== undefined) throw thrown.error
  return accepted
}

/** Puts fields into headers of any of the forms that undici takes. */
const withFields = (headers: unknown, fields: Readonly<Record<string, string>>): unknown => {
  if (Array.isArray(headers) && !Array.isArray(headers[0])) {
    const pairs: Array<unknown> = []
    for (let i = 0; i < headers.length; i += 2) {
      if (!Object.hasOwn(fields, String(headers[i]).toLowerCase())) pairs.push(headers[i], headers[i + 1])
    }
    return [...pairs, ...Object.entries(fields).flat()]
  }
  const record =
    headers !== null && typeof headers === "object" && Symbol.iterator in headers
      ? Object.fromEntries(headers as Iterable<readonly [string, unknown]>)
      : ((headers ?? {}) as Readonly<Record<string, unknown>>)
  return Carrier.replace(record, [], fields)
}

const names = [
  "onConnect",
  "onUpgrade",
  "onResponseStarted",
  "onHeaders",
  "onData",
  "onComplete",
  "onError",
  "onBodySent",
  "onRequestSent",
  "onRequestStart",
  "onRequestUpgrade",
  "onResponseStart",
  "onResponseData",
  "onResponseEnd",
  "onResponseError"
] as const

/** Stands in front of a handler, of the older kind or of the newer: sees what becomes of its request, and can give it up. */
const watch = (
  handler: Handler,
  answered: (status: number) => void,
  settle: (exit: Effect.Effect<void, unknown>) => void
): { readonly handler: Handler; readonly giveUp: () => void } => {
  let abort: ((reason: unknown) => void) | undefined
  let gone = false
  const reason = () => new DOMException("The request was given up", "AbortError")
  const front: Record<string, (...args: ReadonlyArray<any>) => unknown> = {}
  for (const name of names) {
    if (typeof handler[name] === "function") front[name] = (...args) => (gone ? undefined : handler[name]!(...args))
  }
  const before = (name: string, look: (...args: ReadonlyArray<any>) => void): void => {
    const next = front[name]
    if (next === undefined) return
    front[name] = (...args) => {
      look(...args)
      return next(...args)
    }
  }
  const connected = (how: (reason: unknown) => void): void => {
    abort = how
    if (gone) how(reason())
  }
  const failed = (error: unknown): void =>
    settle((error as { readonly name?: unknown } | null)?.name === "AbortError" ? Effect.interrupt : Effect.fail(error))
  before("onConnect", connected)
  before("onRequestStart", (controller) => connected((why) => controller.abort(why)))
  before("onHeaders", answered)
  before("onResponseStart", (_, status) => answered(status))
  before("onComplete", () => settle(Effect.void))
  before("onResponseEnd", () => settle(Effect.void))
  before("onError", failed)
  before("onResponseError", (_, error) => failed(error))
  return {
    handler: front,
    giveUp: () => {
      if (abort !== undefined) return abort(reason())
      // It waits for a connection: the client is told, and the request is aborted before it is sent.
      gone = true
      if (handler["onError"] !== undefined) handler["onError"](reason())
      else handler["onResponseError"]?.({ abort: () => {} }, reason())
    }
  }
}

const traced: Dispatcher = dispatcher()
