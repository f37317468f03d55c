/**
 * What every operation does around its bare call: span, attributes, deadline, circuit, retry, typed failure.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TracerModule from "effect/Tracer"
import type * as Tracer from "effect/Tracer"
import * as Disabled from "../tracer/Disabled.ts"
import { isRecording, markExpected, recordingSpan } from "../tracer/Recording.ts"
import { withSpan } from "../tracer/withSpan.ts"
import * as Attributes from "./Attributes.ts"
import * as Circuit from "./Circuit.ts"
import { ExpectedFailures } from "./ExpectedFailures.ts"
import * as Faults from "./Faults.ts"
import type { AnyEntry, AnyTable, BareCalls, Call, Client } from "./Operation.ts"
import { type Reason, type Tag, Timeout } from "./Reason.ts"
import { ResendCount } from "./ResendCount.ts"
import * as RetryPolicy from "./RetryPolicy.ts"
import type { AnyServiceError } from "./ServiceError.ts"

/** How a layer wants its operations. */
export interface ImplementOptions {
  /** What differs from the default retry policy. */
  readonly retry?: RetryPolicy.RetryPolicyInput | undefined
  /** How long one attempt may take. Default: as the service's layer says. `"Infinity"` for no limit. */
  readonly timeout?: Duration.Input | undefined
  /** How long an operation may take with all its attempts and waits. Default 60 s. */
  readonly deadline?: Duration.Input | undefined
  /** The circuit; `false` for none. */
  readonly circuit?: Circuit.CircuitOptions | false | undefined
  /** Failures that are expected, beside those of the table. */
  readonly expected?: ReadonlyArray<Tag> | undefined
  /** Attributes of every span, of this layer only. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>> | undefined
}

interface Runtime {
  readonly service: string
  readonly policy: RetryPolicy.RetryPolicy
  readonly timeoutMillis: number
  readonly deadlineMillis: number
  readonly circuit: Circuit.Circuit | undefined
  readonly error: new (props: { readonly operation: string; readonly reason: Reason }) => AnyServiceError
}

interface Compiled {
  readonly entry: AnyEntry
  readonly spanName: string
  readonly constants: Readonly<Record<string, Attributes.AttributeInput>>
  readonly input: Attributes.Compiled<unknown>
  readonly result: Attributes.Compiled<unknown>
  readonly expected: ReadonlySet<Tag>
  readonly timeoutMillis: number
}

const millis = (input: Duration.Input | undefined, fallback: number): number =>
  input === undefined ? fallback : Duration.toMillis(Duration.fromInputUnsafe(input))

/**
 * Turns a table of operations and the bare calls of a client into a client that is traced, typed, retried, bounded in time and
 * guarded by a circuit.
 *
 * **Details**
 *
 * Each method's span is a client span named `{prefix}.{operation}`. Retries follow `RetryPolicy`; each is a span event `retry`.
 * The deadline covers all attempts and waits. The circuit is one for the service and lives in the scope.
 */
export const implement = <T extends AnyTable>(
  table: T,
  calls: BareCalls<T>,
  options: ImplementOptions = {}
): Effect.Effect<Client<T>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const circuit = options.circuit === false ? undefined : yield* Circuit.make(table.service, options.circuit)
    const runtime: Runtime = {
      service: table.service,
      policy: RetryPolicy.make(options.retry),
      timeoutMillis: millis(options.timeout, Infinity),
      deadlineMillis: millis(options.deadline, 60_000),
      circuit,
      error: table.error
    }
    const faults = yield* Faults.CurrentFaults
    const client: Record<string, unknown> = {}
    for (const [key, entry] of Object.entries(table.operations)) {
      const call = afflicted(Faults.before(faults, table.prefix, entry.name), calls[key as never] as AnyCall)
      client[key] = method(compile(table, entry, options, runtime), call, runtime)
    }
    return client as Client<T>
  })

const compile = (table: AnyTable, entry: AnyEntry, options: ImplementOptions, runtime: Runtime): Compiled => ({
  entry,
  spanName: `${table.prefix}.${entry.name}`,
  constants: {
    "external.service": table.service,
    "external.operation": entry.name,
    [`${table.prefix}.operation`]: entry.name,
    ...Attributes.read(Attributes.compile(table.attributes), undefined),
    ...options.attributes
  },
  input: Attributes.compile(entry.input),
  result: Attributes.compile(entry.result),
  expected: new Set([...(entry.expected ?? []), ...(options.expected ?? [])]),
  timeoutMillis: millis(entry.timeout, runtime.timeoutMillis)
})

type AnyCall = (input: unknown, call: Call) => Effect.Effect<unknown, Reason, Scope.Scope>

const afflicted = (fault: Effect.Effect<void, Reason> | undefined, call: AnyCall): AnyCall =>
  fault === undefined ? call : (input, info) => Effect.andThen(fault, call(input, info))

const method = (operation: Compiled, call: AnyCall, runtime: Runtime) => {
  const noTrace = { captureStackTrace: false } as const
  const spanOptions = (input: unknown) => ({
    kind: "client" as const,
    attributes: () => {
      const attributes: Record<string, unknown> = { ...operation.constants }
      Attributes.each(operation.input, input, (key, value) => {
        attributes[key] = value
      })
      return attributes
    }
  })
  const inSpan = (input: unknown, body: Effect.Effect<unknown, AnyServiceError, Scope.Scope>) =>
    Disabled.isCurrent() ? body : withSpan(operation.spanName, spanOptions(input), noTrace)(body)
  switch (operation.entry.mode) {
    case "effect":
      return (input: unknown) => inSpan(input, perform(operation, call, runtime, input))
    case "scoped":
      return (input: unknown) => scoped(operation, call, runtime, input, spanOptions(input))
    case "stream":
      return (input: unknown) => streamed(operation, call, runtime, input, spanOptions(input))
  }
}

/** Ends the span of an operation that outlives its call. */
type End = (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>

const noEnd: End = () => Effect.void

/** The call with everything around it but its span, which is the fiber's current one. */
const perform = (
  operation: Compiled,
  call: AnyCall,
  runtime: Runtime,
  input: unknown,
  end: End = noEnd
): Effect.Effect<unknown, AnyServiceError, Scope.Scope> =>
  Effect.withFiber((fiber) => {
    const span = recordingSpan(fiber)
    const asked = fiber.getRef(RetryPolicy.Current)
    const policy = asked === undefined ? runtime.policy : RetryPolicy.make(asked, runtime.policy)
    const startMillis = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
    const fail = (reason: Reason) => end(Exit.fail(failed(operation, runtime, span, fiber, reason)))
    const handle = new CallHandle(span, startMillis + runtime.deadlineMillis, runtime.deadlineMillis, end, fail)
    const bare = call(input, handle)
    const attempts = Effect.catch(oneAttempt(operation, runtime, bare), (reason) =>
      mayRetry(operation, runtime, policy, input, startMillis, fiber, reason)
        ? retrying(operation, runtime, policy, input, startMillis, span, bare, reason)
        : Effect.fail(failed(operation, runtime, span, fiber, reason))
    )
    const bounded =
      runtime.deadlineMillis === Infinity ? attempts : withDeadline(operation, runtime, span, fiber, policy, attempts)
    return span === undefined || operation.result.length === 0
      ? bounded
      : Effect.map(bounded, (result) => {
          Attributes.each(operation.result, result, (key, value) => span.attribute(key, value))
          return result
        })
  })

type AnyFiber = Parameters<Parameters<typeof Effect.withFiber>[0]>[0]

class CallHandle implements Call {
  readonly span: Tracer.Span | undefined
  readonly deadlineAt: number
  readonly deadlineMillis: number
  readonly end: End
  readonly fail: (reason: Reason) => Effect.Effect<void>

  constructor(
    span: Tracer.Span | undefined,
    deadlineAt: number,
    deadlineMillis: number,
    end: End,
    fail: (reason: Reason) => Effect.Effect<void>
  ) {
    this.span = span
    this.deadlineAt = deadlineAt
    this.deadlineMillis = deadlineMillis
    this.end = end
    this.fail = fail
  }

  annotate(key: string, value: string | number | boolean | undefined): void {
    if (this.span !== undefined && value !== undefined) this.span.attribute(key, value)
  }

  get complete(): Effect.Effect<void> {
    return this.end(Exit.void)
  }
}

const oneAttempt = (
  operation: Compiled,
  runtime: Runtime,
  call: Effect.Effect<unknown, Reason, Scope.Scope>
): Effect.Effect<unknown, Reason, Scope.Scope> => {
  const timed =
    operation.timeoutMillis === Infinity
      ? call
      : Effect.timeoutOrElse(call, {
          duration: operation.timeoutMillis,
          orElse: () => Effect.fail(timeout(runtime, operation.timeoutMillis, "an attempt"))
        })
  return runtime.circuit === undefined ? timed : runtime.circuit.pass(timed)
}

const timeout = (runtime: Runtime, limitMillis: number, what: string): Timeout => {
  const duration = Duration.millis(limitMillis)
  return new Timeout({
    message: `${runtime.service} did not answer within ${Duration.format(duration)}, the limit of ${what}`,
    duration
  })
}

const withDeadline = (
  operation: Compiled,
  runtime: Runtime,
  span: Tracer.Span | undefined,
  fiber: AnyFiber,
  policy: RetryPolicy.RetryPolicy,
  attempts: Effect.Effect<unknown, AnyServiceError, Scope.Scope>
): Effect.Effect<unknown, AnyServiceError, Scope.Scope> =>
  // A single attempt that is limited itself cannot outlast a longer deadline: no second timer for it.
  policy.attempts === 1 && operation.timeoutMillis <= runtime.deadlineMillis
    ? attempts
    : Effect.timeoutOrElse(attempts, {
        duration: runtime.deadlineMillis,
        orElse: () =>
          Effect.fail(
            failed(operation, runtime, span, fiber, timeout(runtime, runtime.deadlineMillis, "the operation"))
          )
      })

const mayRetry = (
  operation: Compiled,
  runtime: Runtime,
  policy: RetryPolicy.RetryPolicy,
  input: unknown,
  startMillis: number,
  fiber: AnyFiber,
  reason: Reason
): boolean => {
  const { idempotent } = operation.entry
  const remaining = runtime.deadlineMillis - (fiber.getRef(Clock.Clock).currentTimeMillisUnsafe() - startMillis)
  return RetryPolicy.allows(
    policy,
    reason,
    typeof idempotent === "function" ? idempotent(input) : idempotent,
    remaining
  )
}

/** The attempts after the first, which failed for a reason that another may mend. */
const retrying = (
  operation: Compiled,
  runtime: Runtime,
  policy: RetryPolicy.RetryPolicy,
  input: unknown,
  startMillis: number,
  span: Tracer.Span | undefined,
  call: Effect.Effect<unknown, Reason, Scope.Scope>,
  first: Reason
): Effect.Effect<unknown, AnyServiceError, Scope.Scope> => {
  let retries = 0
  let refused = false
  // The first attempt was made outside of `Effect.retry`, so that an operation that succeeds pays for none of its machinery:
  // the first turn only hands over that attempt's failure.
  const again = Effect.withFiber<unknown, Reason, Scope.Scope>((fiber) => {
    const metadata = fiber.getRef(Schedule.CurrentMetadata)
    if (metadata.attempt === 0) return Effect.fail(first)
    let made = false
    // Recorded behind the circuit: an attempt that the circuit refuses is none.
    const resent = Effect.suspend(() => {
      made = true
      retries++
      if (span !== undefined) recordRetry(span, fiber, retries, metadata)
      return Effect.provideService(call, ResendCount, retries)
    })
    return Effect.catch(oneAttempt(operation, runtime, resent), (reason) => {
      if (made || reason._tag !== "CircuitOpen") return Effect.fail(reason)
      // The circuit opened meanwhile, maybe by this operation's own attempts: what failed is the attempt before.
      refused = true
      if (span !== undefined) span.attribute("external.circuit_breaker_triggered", true)
      return Effect.fail(metadata.input as Reason)
    })
  })
  return Effect.withFiber((fiber) =>
    Effect.retry(again, {
      schedule: RetryPolicy.schedule(policy),
      times: policy.attempts - 1,
      while: (reason: Reason) => !refused && mayRetry(operation, runtime, policy, input, startMillis, fiber, reason)
    }).pipe(Effect.mapError((reason) => failed(operation, runtime, span, fiber, reason)))
  )
}

const recordRetry = (span: Tracer.Span, fiber: AnyFiber, retries: number, metadata: Schedule.Metadata): void => {
  const reason = metadata.input as Reason
  span.event("retry", fiber.getRef(Clock.Clock).currentTimeNanosUnsafe(), {
    "retry.attempt": retries,
    "retry.delay_ms": Math.round(Duration.toMillis(metadata.duration)),
    "error.type": reason._tag,
    "error.message": reason.message
  })
  span.attribute("external.retry_count", retries)
}

/** The service's error for a reason, recorded on the span. */
const failed = (
  operation: Compiled,
  runtime: Runtime,
  span: Tracer.Span | undefined,
  fiber: AnyFiber,
  reason: Reason
): AnyServiceError => {
  if (span !== undefined) {
    span.attribute("external.error.retryable", reason.isRetryable)
    if (reason._tag === "CircuitOpen") span.attribute("external.circuit_breaker_triggered", true)
    if (operation.expected.has(reason._tag) || fiber.getRef(ExpectedFailures).has(reason._tag)) markExpected(span)
  }
  return new runtime.error({ operation: operation.entry.name, reason })
}

/** A scoped operation: its span ends with the caller's scope, or when the call says that it is complete. */
const scoped = (
  operation: Compiled,
  call: AnyCall,
  runtime: Runtime,
  input: unknown,
  options: { readonly kind: "client"; readonly attributes: () => Record<string, unknown> }
): Effect.Effect<unknown, AnyServiceError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const span = yield* Effect.makeSpan(operation.spanName, { kind: options.kind })
      if (isRecording(span)) {
        for (const [key, value] of Object.entries(options.attributes())) span.attribute(key, value)
      }
      const end: End = (exit) =>
        Effect.clockWith((clock) =>
          Effect.sync(() => {
            if (span.status._tag === "Started") span.end(clock.currentTimeNanosUnsafe(), exit)
          })
        )
      const body = perform(operation, call, runtime, input, end)
      const exit = yield* Effect.exit(restore(Effect.withParentSpan(body, span, { captureStackTrace: false })))
      if (Exit.isFailure(exit)) yield* end(exit)
      else yield* Scope.addFinalizerExit(scope, end)
      return yield* exit
    })
  )

/** A streaming operation: its span ends with the stream, is the parent of what happens in it, and counts what passed. */
const streamed = (
  operation: Compiled,
  call: AnyCall,
  runtime: Runtime,
  input: unknown,
  options: { readonly kind: "client"; readonly attributes: () => Record<string, unknown> }
): Stream.Stream<unknown, AnyServiceError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      let count = 0
      let span: Tracer.Span | undefined
      let parent: Tracer.AnySpan | undefined
      const capture: AnyCall = (value, info) =>
        Effect.withFiber((fiber) => {
          span = info.span
          parent = fiber.cache.span
          return call(value, info)
        })
      // Finalizers run in reverse order: the count is set before the span ends.
      const opened = (yield* scoped(operation, capture, runtime, input, options)) as Stream.Stream<unknown, Reason>
      yield* Effect.addFinalizer(() => Effect.sync(() => span?.attribute("result.item_count", count)))
      const counted = opened.pipe(
        Stream.tap(() =>
          Effect.sync(() => {
            count++
          })
        ),
        Stream.catch((reason) =>
          Stream.fromEffect(Effect.withFiber((fiber) => Effect.fail(failed(operation, runtime, span, fiber, reason))))
        )
      )
      return parent === undefined ? counted : Stream.provideService(counted, TracerModule.ParentSpan, parent)
    })
  )
