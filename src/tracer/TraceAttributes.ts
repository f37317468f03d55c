/**
 * Attributes that every span of a request carries: `user.id`, `organization.id`, `request.id`, `trace.correlation_id`.
 *
 * A holder is provided once, where a request (or a job) begins, and filled as soon as something is known. Every span
 * that starts under it carries, when it **ends**, what the holder holds then: so the server's span has the `user.id`
 * that was known only after authentication. An attribute that the span has of its own wins over the holder's. Spans that
 * are not recorded pay nothing.
 *
 * **Gotchas**
 *
 * A holder is mutable and shared by everything below it, background fibers too. A fiber that must not write into its
 * request's holder gets a `fork` of it.
 *
 * **Example** (A user id on every span below)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as TraceAttributes from "effect-telemetry/tracer/TraceAttributes"
 *
 * const handler = Effect.gen(function* () {
 *   yield* TraceAttributes.annotate("user.id", "u-42")
 *   yield* Effect.void.pipe(Effect.withSpan("db.select"))
 * })
 *
 * Effect.runSync(TraceAttributes.provide(handler))
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Rules } from "./AttributeValue.ts"
import type { AttributeValue } from "./SpanData.ts"

/** What a holder holds at one moment. Never changed once made: a span keeps it without copying. */
export interface Snapshot {
  readonly keys: ReadonlyArray<string>
  readonly values: ReadonlyArray<unknown>
  /** @internal */
  shared?: SharedAttributes | undefined
}

/**
 * A snapshot as it leaves the process: made once for all spans that carry it.
 *
 * @internal
 */
export interface SharedAttributes {
  readonly rules: Rules
  /** Whether every attribute leaves the process, under its own name, and as it will be for the next span too. */
  readonly complete: boolean
  readonly keys: ReadonlyArray<string>
  readonly values: ReadonlyArray<AttributeValue>
}

const emptySnapshot: Snapshot = { keys: [], values: [] }

/** More keys than these are refused: a holder is for what identifies a request, not for its data. */
export const MaximumKeys = 64

/** A mutable holder of attributes. */
export class TraceAttributes {
  #snapshot: Snapshot

  constructor(snapshot: Snapshot = emptySnapshot) {
    this.#snapshot = snapshot
  }

  /** What it holds now. */
  get snapshot(): Snapshot {
    return this.#snapshot
  }

  get size(): number {
    return this.#snapshot.keys.length
  }

  get(key: string): unknown {
    const index = this.#snapshot.keys.indexOf(key)
    return index < 0 ? undefined : this.#snapshot.values[index]
  }

  /** Sets or replaces. `undefined` removes. Returns false where `MaximumKeys` are held already. */
  set(key: string, value: unknown): boolean {
    if (value === undefined) {
      this.delete(key)
      return true
    }
    const { keys, values } = this.#snapshot
    const index = keys.indexOf(key)
    if (index < 0 && keys.length >= MaximumKeys) return false
    this.#snapshot =
      index < 0 ? { keys: [...keys, key], values: [...values, value] } : { keys, values: values.with(index, value) }
    return true
  }

  /** Whether it was there. */
  delete(key: string): boolean {
    const { keys, values } = this.#snapshot
    const index = keys.indexOf(key)
    if (index < 0) return false
    this.#snapshot = { keys: keys.toSpliced(index, 1), values: values.toSpliced(index, 1) }
    return true
  }

  entries(): Array<[key: string, value: unknown]> {
    const { keys, values } = this.#snapshot
    return keys.map((key, index) => [key, values[index]])
  }

  /** A holder of its own that starts with what this one holds. */
  fork(): TraceAttributes {
    return new TraceAttributes(this.#snapshot)
  }
}

/** A new holder, empty or with what is known already. `undefined` values are left out. */
export const make = (initial?: Readonly<Record<string, unknown>> | undefined): TraceAttributes => {
  const holder = new TraceAttributes()
  if (initial !== undefined) for (const key of Object.keys(initial)) holder.set(key, initial[key])
  return holder
}

/** The holder that spans started here carry the attributes of. `undefined`, the default: none. */
export const Current: Context.Reference<TraceAttributes | undefined> = Context.Reference<TraceAttributes | undefined>(
  "effect-telemetry/tracer/TraceAttributes",
  { defaultValue: () => undefined }
)

/** The holder of a fiber's present context. */
export const ofFiber = (fiber: Fiber.Fiber<unknown, unknown>): TraceAttributes | undefined => fiber.getRef(Current)

/** Runs an effect with a holder of its own: a given one, or a new one that starts with what the present one holds. */
export const provide = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  holder?: TraceAttributes | undefined
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) =>
    Effect.provideService(self, Current, holder ?? ofFiber(fiber)?.fork() ?? new TraceAttributes())
  )

/** Sets an attribute in the present holder. Does nothing where there is none. */
export const annotate = (key: string, value: unknown): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    ofFiber(fiber)?.set(key, value)
    return Effect.void
  })
