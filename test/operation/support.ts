import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Attributes from "../../src/operation/Attributes.ts"
import * as Operation from "../../src/operation/Operation.ts"
import type { Reason } from "../../src/operation/Reason.ts"
import { ServiceError } from "../../src/operation/ServiceError.ts"

export class GeoError extends ServiceError("GeoError", "geo") {}

export interface Place {
  readonly place: string
}

export const table = Operation.table(
  {
    service: "geo",
    prefix: "geo",
    error: GeoError,
    attributes: { "geo.planet": Attributes.constant("which planet", "earth") }
  },
  {
    locate: Operation.effect<Place, ReadonlyArray<number>>({
      name: "locate",
      brief: "where a place is",
      idempotent: true,
      input: { "geo.place": Attributes.string("the place asked for", (input) => input.place, { maxLength: 10 }) },
      result: { "result.item_count": Attributes.int("how many", (result) => result.length) }
    }),
    name: Operation.effect<Place, void>({
      name: "name",
      brief: "gives a place its name",
      idempotent: false,
      expected: ["Conflict"]
    }),
    walk: Operation.stream<Place, number>({ name: "walk", brief: "the steps to a place", idempotent: true }),
    open: Operation.scoped<Place, { readonly close: Effect.Effect<void> }>({
      name: "open",
      brief: "opens a map",
      idempotent: true
    })
  }
)

/** A client that fails with each reason in turn, then succeeds. */
export const failing = (...reasons: ReadonlyArray<Reason>) => {
  let calls = 0
  const next = <A>(value: A): Effect.Effect<A, Reason> =>
    Effect.suspend(() => {
      const reason = reasons[calls++]
      return reason === undefined ? Effect.succeed(value) : Effect.fail(reason)
    })
  return {
    calls: () => calls,
    bare: {
      locate: () => next<ReadonlyArray<number>>([59.9, 10.7]),
      name: () => next<void>(undefined),
      walk: () => Effect.map(next([1, 2, 3]), Stream.fromIterable),
      open: (_: Place, call: Operation.Call) => next({ close: call.complete })
    } satisfies Operation.BareCalls<typeof table>
  }
}
