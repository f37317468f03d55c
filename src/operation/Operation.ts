/**
 * One call towards the outside, written once.
 *
 * A service states its operations as a table: name, meaning, attributes from the arguments, attributes from the result,
 * whether it is idempotent. `Operation.implement` takes the table and, for each entry, the bare call of a client, and gives
 * methods that are traced, typed, retried, bounded in time and guarded by a circuit. Adding an operation is adding an entry
 * and its client call. Users define services of their own with the same pieces.
 *
 * **Example** (A service of your own)
 *
 * ```ts
 * import * as Context from "effect/Context"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Attributes from "effect-telemetry/operation/Attributes"
 * import * as Operation from "effect-telemetry/operation/Operation"
 * import { NotFound } from "effect-telemetry/operation/Reason"
 * import { ServiceError } from "effect-telemetry/operation/ServiceError"
 *
 * class GeoError extends ServiceError("GeoError", "geo") {}
 *
 * const table = Operation.table({ service: "geo", prefix: "geo", error: GeoError }, {
 *   locate: Operation.effect<{ readonly place: string }, { readonly lat: number; readonly lon: number }>({
 *     name: "locate",
 *     brief: "where a place is",
 *     idempotent: true,
 *     input: { "geo.place": Attributes.string("the place asked for", (input) => input.place) },
 *     result: { "geo.lat": Attributes.double("its latitude", (result) => result.lat) }
 *   })
 * })
 *
 * class Geo extends Context.Service<Geo, Operation.Client<typeof table>>()("app/Geo") {
 *   static readonly layer = Layer.effect(
 *     Geo,
 *     Operation.implement(table, {
 *       locate: ({ place }) =>
 *         place === "Oslo"
 *           ? Effect.succeed({ lat: 59.9, lon: 10.7 })
 *           : Effect.fail(new NotFound({ message: `no place is called ${place}` }))
 *     })
 *   )
 * }
 *
 * const program = Effect.gen(function* () {
 *   const geo = yield* Geo
 *   console.log(yield* geo.locate({ place: "Oslo" }))
 * })
 * Effect.runPromise(program.pipe(Effect.provide(Geo.layer)))
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/semconv/general/recording-errors/
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as Tracer from "effect/Tracer"
import type { AttributeTable } from "./Attributes.ts"
import type { Reason, Tag } from "./Reason.ts"
import type { AnyServiceError } from "./ServiceError.ts"

/** What an entry says of its operation. */
export interface Definition<in In, in Out> {
  /** The operation as `external.operation` names it: snake case, without the service's prefix. */
  readonly name: string
  /** What it does, in a few words. */
  readonly brief: string
  /**
   * Whether doing it twice is the same as doing it once. Where it is not, an attempt is repeated only if the server cannot
   * have acted on it. A function where it depends on the arguments.
   */
  readonly idempotent: boolean | ((input: In) => boolean)
  /** Attributes from the arguments. */
  readonly input?: AttributeTable<In> | undefined
  /** Attributes from the result; those without a reader are set by the call itself (`Call.annotate`). */
  readonly result?: AttributeTable<Out> | undefined
  /** Failures that are part of its normal life: recorded, not errors. */
  readonly expected?: ReadonlyArray<Tag> | undefined
  /** How long an attempt may take, where it is not the service's own. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * How an operation answers: with a value; with a value whose span lives until the caller's scope closes (a body that is read
 * later); or with a stream.
 */
export type Mode = "effect" | "scoped" | "stream"

/** An entry of a table of operations. */
export interface Entry<in out In, in out Out, out M extends Mode> extends Definition<In, Out> {
  readonly mode: M
}

/** Any entry. */
export type AnyEntry = Entry<any, any, Mode>

/** An operation that answers with a value. */
export const effect = <In, Out>(definition: Definition<In, Out>): Entry<In, Out, "effect"> => ({
  ...definition,
  mode: "effect"
})

/** An operation whose result is used within the caller's scope: span and deadline last until it closes or completes. */
export const scoped = <In, Out>(definition: Definition<In, Out>): Entry<In, Out, "scoped"> => ({
  ...definition,
  mode: "scoped"
})

/**
 * An operation that answers with a stream: the span lasts until the stream ends, and `result.item_count` counts its elements.
 * Only the opening is retried: what was handed over cannot be taken back.
 */
export const stream = <In, Item>(definition: Definition<In, never>): Entry<In, Item, "stream"> =>
  ({ ...definition, mode: "stream" }) as never

/** What the operations of one service have in common. */
export interface ServiceInfo<E extends AnyServiceError> {
  /** The service as `external.service` names it. */
  readonly service: string
  /** What the names of its spans and of its own attributes begin with. */
  readonly prefix: string
  /** The service's error. */
  readonly error: new (props: { readonly operation: string; readonly reason: Reason }) => E
  /** Attributes that every span of the service carries. */
  readonly attributes?: AttributeTable<void> | undefined
}

/** A service's operations. */
export interface Table<
  E extends AnyServiceError,
  Entries extends { readonly [key: string]: AnyEntry }
> extends ServiceInfo<E> {
  readonly operations: Entries
}

/** Any table. */
export type AnyTable = Table<AnyServiceError, { readonly [key: string]: AnyEntry }>

/** States the operations of a service. Makes nothing yet: `implement` does, and the catalogue reads it. */
export const table = <E extends AnyServiceError, const Entries extends { readonly [key: string]: AnyEntry }>(
  info: ServiceInfo<E>,
  operations: Entries
): Table<E, Entries> => ({ ...info, operations })

/** The error with which the operations of a table fail. */
export type ErrorOf<T> = T extends Table<infer E, any> ? E : never

type Arguments<In> = [In] extends [void] ? [] : [input: In]

/** The method that an entry becomes. */
export type Method<X, E> =
  X extends Entry<infer In, infer Out, infer M>
    ? M extends "stream"
      ? (...args: Arguments<In>) => Stream.Stream<Out, E>
      : M extends "scoped"
        ? (...args: Arguments<In>) => Effect.Effect<Out, E, Scope.Scope>
        : (...args: Arguments<In>) => Effect.Effect<Out, E>
    : never

/** What `implement` gives: a method for every operation of the table. */
export type Client<T extends { readonly operations: { readonly [key: string]: AnyEntry } }> = {
  readonly [K in keyof T["operations"]]: Method<T["operations"][K], ErrorOf<T>>
}

/** What a bare call may use of the operation that it is made for. */
export interface Call {
  /** The operation's span, where it records. */
  readonly span: Tracer.Span | undefined
  /** Sets an attribute of the operation's span; costs nothing where it does not record. */
  readonly annotate: (key: string, value: string | number | boolean | undefined) => void
  /** When the operation's deadline passes, in milliseconds since the epoch: for what is read after the call has answered. */
  readonly deadlineAt: number
  /** How long the operation may take in all, in milliseconds. */
  readonly deadlineMillis: number
  /** Ends the span of a scoped operation before its scope closes: the body has been read. What follows does nothing. */
  readonly complete: Effect.Effect<void>
  /** Ends the span of a scoped operation as failed: reading the body failed. */
  readonly fail: (reason: Reason) => Effect.Effect<void>
  /** Ends the span of a scoped operation with any exit (an interruption). */
  readonly end: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

/** The bare call of a client for an entry: no span, no retry, failing with a reason. */
export type BareCall<X> =
  X extends Entry<infer In, infer Out, infer M>
    ? M extends "stream"
      ? (input: In, call: Call) => Effect.Effect<Stream.Stream<Out, Reason>, Reason, Scope.Scope>
      : M extends "scoped"
        ? (input: In, call: Call) => Effect.Effect<Out, Reason, Scope.Scope>
        : (input: In, call: Call) => Effect.Effect<Out, Reason>
    : never

/** A bare call for every operation of a table. */
export type BareCalls<T extends { readonly operations: { readonly [key: string]: AnyEntry } }> = {
  readonly [K in keyof T["operations"]]: BareCall<T["operations"][K]>
}

export { implement, type ImplementOptions } from "./implement.ts"
