/** What the tests of the reference backend share: the whole backend on its embedded parts, and requests to it. */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import { backend } from "../../scratchpad/app/Backend.ts"
import * as TestTelemetry from "../../src/testing/TestTelemetry.ts"

/** The backend on a free port, with an environment that names no servers. */
export const backendLayer = (faults = "") =>
  backend({ host: "127.0.0.1", port: 0, faults }).pipe(
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({}))),
    Layer.provide(Logger.layer([])),
    Layer.provideMerge(TestTelemetry.layer())
  )

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: any
}

export interface AskOptions {
  readonly method?: string | undefined
  /** Who asks. */
  readonly user?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly json?: unknown
  readonly body?: Uint8Array<ArrayBuffer> | string | undefined
}

const parse = (text: string): any => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Sends a request as anybody would. What the tests saw before is forgotten. */
export const ask = (path: string, options: AskOptions = {}) =>
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    yield* TestTelemetry.clear
    return yield* Effect.promise(async (signal): Promise<Answer> => {
      const response = await fetch(`${HttpServer.formatAddress(address)}${path}`, {
        signal,
        method: options.method ?? (options.json !== undefined || options.body !== undefined ? "POST" : "GET"),
        headers: {
          ...(options.user === undefined ? undefined : { "x-user-id": options.user }),
          ...(options.json === undefined ? undefined : { "content-type": "application/json" }),
          ...options.headers
        },
        ...(options.json === undefined ? undefined : { body: JSON.stringify(options.json) }),
        ...(options.body === undefined ? undefined : { body: options.body })
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, text, json: parse(text) }
    })
  })

/** Waits for what another process, or a background job, does: as long as it takes, up to the test's own limit. */
export const eventually = <A, E, R>(check: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.sandbox(check).pipe(
    Effect.retry(Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "15 seconds" }))),
    Effect.catch((cause) => Effect.failCause(cause))
  )

/** A trace as `expectTrace` expects it, which may be complete only a moment after the response. */
export const expectTrace = (expected: TestTelemetry.ExpectedSpan) => eventually(TestTelemetry.expectTrace(expected))
