/**
 * The connections of one layer: an undici dispatcher that is closed with it, in place of the one that all of the process shares,
 * whose idle sockets outlive the layer.
 *
 * What the application has told `fetch` about its way out wins: where the global dispatcher is not the plain one of the start
 * (`setGlobalDispatcher`, `NODE_USE_ENV_PROXY`: a proxy, certificates), requests go through that, and its sockets are its own.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { isDeepStrictEqual } from "node:util"
import type { Dispatcher, DispatchOptions } from "../../http/FetchSpans.ts"

interface Agent extends Dispatcher {
  readonly destroy: () => Promise<void>
}

type Constructor = new () => Agent

/** Makes the dispatcher. */
export const make: Effect.Effect<Dispatcher, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => new Map<Dispatcher, Agent | undefined>()),
    (agents) =>
      // What is still on its way when the layer closes has nobody who waits for it.
      Effect.forEach(agents.values(), (agent) =>
        agent === undefined ? Effect.void : Effect.ignore(Effect.tryPromise(() => agent.destroy()))
      )
  ),
  (agents) => ({
    dispatch: (options: DispatchOptions, handler: any) => {
      const shared = globalDispatcher(handler)
      if (!agents.has(shared)) agents.set(shared, likeIt(shared))
      return (agents.get(shared) ?? shared).dispatch(options, handler)
    }
  })
)

/** The one through which `fetch` itself would send: version 8 brought handlers of a new kind, and a second global for them. */
const globalDispatcher = (handler: Readonly<Record<string, unknown>>): Dispatcher => {
  const globals = globalThis as unknown as Record<symbol, Dispatcher | undefined>
  const first = globals[Symbol.for("undici.globalDispatcher.1")]
  const second = globals[Symbol.for("undici.globalDispatcher.2")]
  return (handler["onRequestStart"] === undefined ? (first ?? second) : (second ?? first))!
}

/** Another one of its class, where that is no different from it. */
const likeIt = (shared: Dispatcher): Agent | undefined => {
  try {
    const { constructor } = shared as unknown as { readonly constructor: Constructor }
    if (constructor.name !== "Agent" || shared.dispatch !== constructor.prototype.dispatch) return undefined
    const own = new constructor()
    return isDeepStrictEqual(settings(shared), settings(own)) ? own : undefined
  } catch {
    return undefined
  }
}

/** What an agent was told when it was made. */
const settings = (agent: object): ReadonlyArray<unknown> =>
  Object.getOwnPropertySymbols(agent)
    .filter(
      ({ description }) => description !== undefined && /options|factory|interceptors|redirect/i.test(description)
    )
    .map((symbol) => [symbol.description, (agent as Record<symbol, unknown>)[symbol]])
