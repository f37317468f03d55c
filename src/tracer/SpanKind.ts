/**
 * Span kinds by name, as Effect has them, and by number, as OpenTelemetry has them.
 *
 * @internal
 */
import type * as Tracer from "effect/Tracer"

/** Effect's names of OpenTelemetry's `SpanKind`s, by their numbers. */
export const kinds: ReadonlyArray<Tracer.SpanKind> = ["internal", "server", "client", "producer", "consumer"]

export type KindCode = 0 | 1 | 2 | 3 | 4

/** The number of a kind. */
export const kindCode = (kind: Tracer.SpanKind | undefined): KindCode => {
  switch (kind) {
    case "server":
      return 1
    case "client":
      return 2
    case "producer":
      return 3
    case "consumer":
      return 4
    default:
      return 0
  }
}
