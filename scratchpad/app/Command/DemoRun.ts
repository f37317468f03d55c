/** Sends the demo's requests, one after the other, and prints each with its answer and its trace. */
import { Effect, Queue } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { render } from "effect-telemetry/export/TraceTree"
import * as Faults from "effect-telemetry/operation/Faults"
import type { SpanData } from "effect-telemetry/tracer/SpanData"
import { STATUS_CODES } from "node:http"
import { type Known, type Step, steps } from "./Demo.ts"
import * as Terminal from "./Terminal.ts"
import { attributeOf, demoPrefix, type Trace } from "./Traces.ts"

/** How long a trace may take to be complete after its response. */
const patience = "5 seconds"

/** What came back. */
interface Answer {
  readonly status: number
  readonly body: string
}

/** The requests come from outside, as everybody's do: the client that sends them is not traced. */
const send = (base: string, step: Step, path: string, requestId: string) =>
  Effect.gen(function* () {
    const request = HttpClientRequest.make(step.method)(`${base}${path}`).pipe(
      HttpClientRequest.setHeader("x-request-id", requestId),
      step.user === undefined ? (same) => same : HttpClientRequest.setHeader("x-user-id", step.user),
      step.json === undefined ? (same) => same : HttpClientRequest.bodyJsonUnsafe(step.json),
      step.audio === undefined ? (same) => same : HttpClientRequest.bodyUint8Array(step.audio(), "audio/wav")
    )
    const response = yield* HttpClient.execute(request)
    return { status: response.status, body: yield* response.text }
  }).pipe(Effect.withTracerEnabled(false), Effect.provide(FetchHttpClient.layer))

const rule = (text: string): string => {
  const width = Math.min(Terminal.drawing.width ?? 110, 110)
  const line = Terminal.drawing.ascii === true ? "-" : "─"
  return `${Terminal.bold(text)} ${Terminal.dim(line.repeat(Math.max(3, width - text.length - 1)))}`
}

const short = (body: string): string => {
  const width = (Terminal.drawing.width ?? 110) - 24
  return body.length <= width ? body : `${body.slice(0, width)}${Terminal.drawing.ascii === true ? "..." : "…"}`
}

const parse = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** What a demo is run on. */
export interface DemoOptions {
  readonly base: string
  /** The traces of its requests, as they complete. */
  readonly traces: Queue.Dequeue<Trace>
  /** Whether there are any. */
  readonly traced: boolean
  /** What `FAULTS` says; `undefined` where it is not set, and services fail as the demo wants them to. */
  readonly faults: string | undefined
}

/** What did not come out as expected. */
export interface Problem {
  readonly what: string
  /** Whether it comes from what `FAULTS` does: an operation that it names failed, in this request or in one before. */
  readonly onPurpose: boolean
}

/** Runs the demo; what did not come out as expected. */
export const runDemo = (options: DemoOptions) =>
  Effect.gen(function* () {
    const problems: Array<Problem> = []
    const faulted = faultedSpan(yield* Faults.parse(options.faults ?? ""))
    let afflicted = false
    let known: Known = {}
    let count = 0
    for (const [at, step] of steps.entries()) {
      const path = typeof step.path === "string" ? step.path : step.path(known)
      const title = `${at + 1}/${steps.length} ${step.title}`
      announce(title, step, path, options.faults === undefined)
      const requestId = `${demoPrefix}${at + 1}`
      const answer = yield* send(options.base, step, path, requestId)
      Terminal.say(statusLine(step, answer))

      const expected = isExpected(step, answer)
      const jobs = expected ? (step.jobs ?? 0) : 0
      const found: Array<string> = []
      if (!expected) found.push(`answered ${answer.status}, expected ${[step.status].flat().join(" or ")}`)
      else if (step.learn !== undefined) known = { ...known, ...step.learn(parse(answer.body)) }

      if (options.traced) {
        const printed = yield* printTraces(options.traces, requestId, jobs)
        count += printed.count
        afflicted ||= printed.spans.some(faulted)
        const missing = step.spans.filter((name) => !printed.spans.some((span) => span.name === name))
        if (printed.missing > 0) found.push(`${printed.missing} of its traces did not come`)
        else if (expected && missing.length > 0) found.push(`its trace has no ${missing.join(", ")}`)
      } else afflicted ||= options.faults !== undefined && !expected
      // No fault is a reason for an answer that nobody thought of.
      for (const what of found) {
        problems.push({ what: `${title}: ${what}`, onPurpose: afflicted && answer.status !== 500 })
      }
    }
    return { requests: steps.length, traces: count, problems }
  })

/** Whether a span is one of an operation that `FAULTS` names, and had trouble. */
const faultedSpan =
  (rules: ReadonlyArray<Faults.FaultRule>) =>
  (span: SpanData): boolean =>
    rules.some(({ target }) => span.name === target || span.name.startsWith(`${target}.`)) &&
    (span.statusCode === 2 || attributeOf(span, "external.retry_count") !== undefined)

const announce = (title: string, step: Step, path: string, faulty: boolean): void => {
  Terminal.say(`\n${rule(title)}\n${Terminal.dim(step.shows)}`)
  if (faulty && step.onPurpose !== undefined) {
    Terminal.say(Terminal.dim(`on purpose (FAULTS=${step.onPurpose.fault}): ${step.onPurpose.shows}`))
  }
  const user = step.user === undefined ? "" : `  ${Terminal.dim(`x-user-id: ${step.user}`)}`
  Terminal.say(`\n${step.method} ${path}${user}`)
  if (step.json !== undefined) Terminal.say(Terminal.dim(JSON.stringify(step.json)))
  if (step.audio !== undefined) Terminal.say(Terminal.dim(`(a recording, ${step.audio().byteLength} bytes)`))
}

const isExpected = (step: Step, { status }: Answer): boolean => [step.status].flat().includes(status)

const statusLine = (step: Step, { body, status }: Answer): string => {
  const paint = isExpected(step, { body, status }) ? (status < 400 ? Terminal.green : Terminal.yellow) : Terminal.red
  return `${paint(`${status} ${STATUS_CODES[status] ?? ""}`.trim())}  ${Terminal.dim(short(body))}\n`
}

/** Prints the trace of a request, and those of the background jobs that it leads to. */
const printTraces = Effect.fnUntraced(function* (traces: Queue.Dequeue<Trace>, requestId: string, jobs: number) {
  const found: Array<Trace> = []
  yield* Effect.gen(function* () {
    while (found.length < 1 + jobs) {
      const trace = yield* Queue.take(traces)
      if (trace.requestId === requestId) found.push(trace)
    }
  }).pipe(Effect.timeoutOption(patience))
  // A quick job is done before its request's span has ended.
  const isJob = ({ spans }: Trace) => spans.some(({ linkData }) => linkData.length > 0)
  for (const trace of found.toSorted((a, b) => Number(isJob(a)) - Number(isJob(b)))) {
    if (isJob(trace))
      Terminal.say(Terminal.dim("and the background job, in a trace of its own that is linked to the request's:\n"))
    Terminal.say(render(trace.spans, Terminal.drawing))
  }
  const missing = 1 + jobs - found.length
  if (missing > 0) Terminal.say(Terminal.yellow(`${missing} of its traces did not come within ${patience}`))
  return { count: found.length, missing, spans: found.flatMap(({ spans }) => spans) }
})
