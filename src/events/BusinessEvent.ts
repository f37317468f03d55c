/**
 * A business event: a span with domain meaning around composed effects.
 *
 * `BusinessEvent.make` defines an event once (its span's name, its attributes with their types) and gives a combinator for
 * pipes. A failure of the wrapped effect is recorded on the span and passed on unchanged. What is known only from the result
 * is said by a function of it; what becomes known on the way, by `annotate` anywhere below.
 *
 * **Example** (An event of your own)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as BusinessEvent from "effect-telemetry/events/BusinessEvent"
 * import * as Attributes from "effect-telemetry/operation/Attributes"
 *
 * const startRoom = BusinessEvent.make<{ readonly roomId?: string; readonly capacity?: number }>({
 *   name: "room.start",
 *   brief: "a live audio room opens",
 *   attributes: {
 *     "room.id": Attributes.string("the room", (event) => event.roomId),
 *     "room.capacity": Attributes.int("how many listeners fit", (event) => event.capacity)
 *   }
 * })
 *
 * const program = Effect.succeed({ id: "r1" }).pipe(startRoom({ capacity: 200 }, (room) => ({ roomId: room.id })))
 * Effect.runPromise(program).then(console.log)
 * ```
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import * as Attributes from "../operation/Attributes.ts"
import { isRecording, recordingSpan } from "../tracer/Recording.ts"
import { withSpan } from "../tracer/withSpan.ts"

/** What an event is. */
export interface Definition<in Fields> {
  /** The span's name; parts in braces (`social.{action}`) are filled in by `nameParts`. */
  readonly name: string
  /** What happens, in a few words. */
  readonly brief: string
  /** What stands for the parts of the name that are in braces. */
  readonly nameParts?: ((fields: Fields) => Readonly<Record<string, string>>) | undefined
  /** The attributes, read from the event's fields. */
  readonly attributes: Attributes.AttributeTable<Fields>
}

/** An event: a combinator that wraps an effect in the event's span. */
export interface BusinessEvent<in out Fields> {
  /** Wraps an effect. `result` gives the fields that are known only from the effect's value. */
  <A>(
    fields: Fields,
    result: (value: NoInfer<A>) => Partial<Fields>
  ): <E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Wraps an effect. */
  (fields: Fields): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Adds fields to the innermost enclosing span of this event; does nothing outside of one. */
  readonly annotate: (fields: Partial<Fields>) => Effect.Effect<void>
  /** What it was made from, for the catalogue. */
  readonly definition: Definition<Fields>
}

/** Any event. */
export type AnyBusinessEvent = BusinessEvent<any>

const noTrace = { captureStackTrace: false } as const

/** Defines an event. */
export const make = <Fields>(definition: Definition<Fields>): BusinessEvent<Fields> => {
  const compiled = Attributes.compile(definition.attributes)
  const { nameParts } = definition
  const nameOf =
    nameParts === undefined ? () => definition.name : (fields: Fields) => fill(definition.name, nameParts(fields))
  const matches = matcher(definition.name)
  const annotateSpan = (span: Tracer.Span, fields: Partial<Fields>): void =>
    Attributes.each(compiled, fields as Fields, (key, value) => span.attribute(key, value))

  const event = (fields: Fields, result?: (value: any) => Partial<Fields>) => {
    const options = { attributes: () => Attributes.read(compiled, fields) }
    const wrap = withSpan(nameOf(fields), options, noTrace)
    if (result === undefined) return wrap
    return (self: Effect.Effect<unknown, unknown, unknown>) => wrap(recordResult(self, result, annotateSpan))
  }
  return Object.assign(event as BusinessEvent<Fields>, {
    definition,
    annotate: (fields: Partial<Fields>): Effect.Effect<void> =>
      Effect.withFiber((fiber) => {
        const span = enclosing(fiber.cache.span, matches)
        if (span !== undefined && isRecording(span)) annotateSpan(span, fields)
        return Effect.void
      })
  })
}

const recordResult = <Fields>(
  self: Effect.Effect<unknown, unknown, unknown>,
  result: (value: unknown) => Partial<Fields>,
  annotateSpan: (span: Tracer.Span, fields: Partial<Fields>) => void
): Effect.Effect<unknown, unknown, unknown> =>
  Effect.withFiber((fiber) => {
    const span = recordingSpan(fiber)
    if (span === undefined) return self
    return Effect.map(self, (value) => {
      let fields: Partial<Fields> | undefined
      try {
        fields = result(value)
      } catch {
        // telemetry never fails the application: what the result says stays out of the span
      }
      if (fields !== undefined) annotateSpan(span, fields)
      return value
    })
  })

const fill = (template: string, parts: Readonly<Record<string, string>>): string =>
  template.replace(/\{(\w+)\}/g, (whole, part: string) => parts[part] ?? whole)

/** Whether a span's name is one that the template can give. */
const matcher = (template: string): ((name: string) => boolean) => {
  if (!template.includes("{")) return (name) => name === template
  const literal = template.split(/\{\w+\}/).map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
  const pattern = new RegExp(`^${literal.join("[^.]+")}$`)
  return (name) => pattern.test(name)
}

const enclosing = (from: Tracer.AnySpan | undefined, matches: (name: string) => boolean): Tracer.Span | undefined => {
  let span = from
  while (span !== undefined && span._tag === "Span") {
    if (matches(span.name)) return span
    span = Option.getOrUndefined(span.parent)
  }
  return undefined
}
