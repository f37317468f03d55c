/**
 * The circuit towards a service: after failures in a row the next calls are refused at once, for a while, instead of
 * waiting for a service that is down. It is Effect's own `CircuitBreaker`, made visible on the span of the refused call
 * (`external.circuit_breaker_triggered`, `error.type` = `CircuitOpen`).
 *
 * Every attempt of an operation passes the circuit of its service. What counts as a failure is what says that the service is
 * ill: `Unavailable`, `Timeout`, `RateLimited`. A `NotFound` says that it is well.
 *
 * **Example** (Two failures open it)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Circuit from "effect-telemetry/operation/Circuit"
 * import { Unavailable } from "effect-telemetry/operation/Reason"
 *
 * const program = Effect.gen(function* () {
 *   const circuit = yield* Circuit.make("shop", { failures: 2, openDuration: "30 seconds" })
 *   const call = circuit.pass(Effect.fail(new Unavailable({ message: "connection refused" })))
 *   yield* Effect.ignore(call)
 *   yield* Effect.ignore(call)
 *   const refused = yield* Effect.flip(call)
 *   console.log(refused._tag, yield* circuit.state) // CircuitOpen Open
 * })
 * Effect.runPromise(Effect.scoped(program))
 * ```
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { CircuitOpen, type Reason, retryAfterOf } from "./Reason.ts"

/** How the circuit of a service behaves. */
export interface CircuitOptions {
  /** Failures in a row that open it. Default 5. */
  readonly failures?: number | undefined
  /** How long it stays open before one call may probe. Default 10 s. */
  readonly openDuration?: Duration.Input | undefined
  /** What a service's `Retry-After` may lengthen that to. Default 1 min. */
  readonly maxOpenDuration?: Duration.Input | undefined
}

/** Lets an attempt pass, or refuses it. */
export interface Circuit {
  /**
   * Runs an attempt and counts how it ended. Fails with `CircuitOpen`, and without running it, where the circuit is open or waits
   * for its probe.
   */
  readonly pass: <A, R>(attempt: Effect.Effect<A, Reason, R>) => Effect.Effect<A, Reason, R>
  /** The state now, for status pages and tests. */
  readonly state: Effect.Effect<"Closed" | "Open" | "HalfOpen">
}

/** Makes the circuit of a service. It keeps its state in this process. */
export const make = (service: string, options: CircuitOptions = {}): Effect.Effect<Circuit, never, Scope.Scope> =>
  Effect.map(
    CircuitBreaker.make({
      tripPolicy: CircuitBreaker.consecutive(options.failures ?? 5),
      openDuration: options.openDuration ?? "10 seconds",
      maxOpenDuration: options.maxOpenDuration ?? "1 minute"
    }).pipe(Effect.provide(CircuitBreaker.layerStoreMemory())),
    (breaker): Circuit => ({
      pass: <A, R>(attempt: Effect.Effect<A, Reason, R>) =>
        Effect.mapError(breaker.execute(attempt, { key: service, classify }), (error): Reason =>
          error._tag === "CircuitBreakerError" ? rejection(service, error) : error
        ),
      state: Effect.map(Effect.orDie(breaker.state(service)), (state) => state._tag)
    })
  )

const rejection = (service: string, error: CircuitBreaker.CircuitBreakerError): CircuitOpen => {
  const retryAfter = error.reason._tag === "CircuitOpen" ? error.reason.retryAfter : undefined
  return new CircuitOpen({
    message:
      retryAfter === undefined
        ? `the circuit to ${service} waits for its probe to answer`
        : `the circuit to ${service} is open for another ${Duration.format(retryAfter)}`,
    retryAfter,
    cause: error
  })
}

const classify = (exit: Exit.Exit<unknown, Reason>): CircuitBreaker.Outcome => {
  if (Exit.isSuccess(exit)) return CircuitBreaker.success
  const failure = Cause.findErrorOption(exit.cause)
  if (Option.isNone(failure)) return CircuitBreaker.ignored
  switch (failure.value._tag) {
    case "Unavailable":
    case "Timeout":
    case "RateLimited":
      return CircuitBreaker.failure({ retryAfter: retryAfterOf(failure.value) })
    case "InvalidRequest":
      // Refused here, before it was sent: that says nothing about the service.
      return failure.value.status === undefined && failure.value.code === undefined
        ? CircuitBreaker.ignored
        : CircuitBreaker.success
    default:
      return CircuitBreaker.success
  }
}
