/**
 * The official client, so that each request of it is an attempt in a span of its own, ends when its fiber is interrupted, and is
 * made once.
 *
 * @internal
 */
import type { $Command, S3ClientResolvedConfig, ServiceInputTypes, ServiceOutputTypes } from "@aws-sdk/client-s3"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as AttemptSpan from "../../http/AttemptSpan.ts"
import type { Call } from "../../operation/Operation.ts"
import type { Reason } from "../../operation/Reason.ts"
import type { S3Settings } from "./S3Settings.ts"
import { AbortMultipartUploadCommand, PutObjectCommand, S3Client, UploadPartCommand } from "./S3Packages.ts"
import { reasonOf } from "./StorageReason.ts"

/** Sends one command, once. */
export type Send = <In extends ServiceInputTypes, Out extends ServiceOutputTypes>(
  command: $Command<In, Out, S3ClientResolvedConfig>
) => Promise<Out>

/** What a request is made with. */
export interface Requests {
  /** For what makes URLs, or sends by itself. */
  readonly client: S3Client
  /** Makes requests for an operation. The signal aborts when the fiber is interrupted, and the requests with it. */
  readonly use: <A>(call: Call, f: (send: Send, signal: AbortSignal) => Promise<A>) => Effect.Effect<A, Reason>
  /** Work that goes on after its fiber was interrupted, for which the layer waits a moment before it closes. */
  readonly afterwards: (work: Promise<unknown>) => void
}

/** How long the removal of the parts of an upload that failed may take. */
const cleanUpMillis = 5_000

/** How long a layer that closes waits for them. */
const closeMillis = 1_000

/** Options that every client of a layer has. */
export const clientOptions = (settings: S3Settings) => ({
  region: settings.region,
  forcePathStyle: settings.forcePathStyle,
  ...(settings.endpoint === undefined ? undefined : { endpoint: settings.endpoint }),
  ...(settings.credentials === undefined ? undefined : { credentials: settings.credentials })
})

/** Makes the client; it is destroyed, with its connections, when the scope closes. */
export const make = (settings: S3Settings, timeoutMillis: number): Effect.Effect<Requests, never, Scope.Scope> =>
  Effect.gen(function* () {
    const working = new Set<Promise<unknown>>()
    const client = yield* Effect.acquireRelease(
      Effect.sync(
        () =>
          new S3Client({
            ...clientOptions(settings),
            // One attempt: whoever calls decides about another one, and its span tells of it.
            maxAttempts: 1,
            requestHandler: {
              connectionTimeout: settings.connectTimeoutMillis,
              // Without the second the first only warns.
              ...(timeoutMillis === Infinity
                ? undefined
                : { requestTimeout: timeoutMillis, throwOnRequestTimeout: true })
            }
          })
      ),
      (client) =>
        Effect.promise(() => Promise.allSettled(working)).pipe(
          Effect.timeoutOption(closeMillis),
          Effect.andThen(Effect.sync(() => client.destroy()))
        )
    )
    return {
      client,
      use: (call, f) =>
        Effect.withFiber((fiber) => {
          const { context } = fiber
          return Effect.tryPromise({
            try: (signal) => f(sender(client, context, call, signal, timeoutMillis), signal),
            catch: reasonOf
          })
        }),
      afterwards: (work) => {
        working.add(work)
        const done = () => working.delete(work)
        work.then(done, done)
      }
    }
  })

const sender =
  (client: S3Client, context: Context.Context<never>, call: Call, signal: AbortSignal, timeoutMillis: number): Send =>
  (command) => {
    // What tidies up after an interruption must not be interrupted by it.
    const isCleanUp = command instanceof AbortMultipartUploadCommand
    // These have no limit of an attempt, and the client's own ends when an answer begins: it need not go on.
    const isUpload = command instanceof PutObjectCommand || command instanceof UploadPartCommand
    const limit = isUpload && timeoutMillis !== Infinity ? restOf(timeoutMillis) : undefined
    const own = isCleanUp
      ? AbortSignal.timeout(cleanUpMillis)
      : limit === undefined
        ? signal
        : AbortSignal.any([signal, limit.signal])
    const stack = command.middlewareStack as unknown as MiddlewareStack
    // The step next to the transport: after signing, so the headers of a trace are not part of what is signed and a proxy that
    // changes them breaks nothing; before anything is made of the answer.
    stack.add(attemptMiddleware(context, call, own, limit?.answered), {
      step: "deserialize",
      priority: "low",
      name: "effectTelemetryAttempt"
    })
    const sent = client.send(command, { abortSignal: own })
    return limit === undefined ? sent : limit.end(sent)
  }

/** What is left of a request's time when its answer begins is the time for the answer to end. */
const restOf = (timeoutMillis: number) => {
  const started = performance.now()
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  return {
    signal: controller.signal,
    answered: (): void => {
      timer = setTimeout(() => controller.abort(), Math.max(0, timeoutMillis - (performance.now() - started)))
    },
    end: async <A>(sent: Promise<A>): Promise<A> => {
      try {
        return await sent
      } catch (error) {
        // What the client says of an answer that is cut off is that the connection was lost.
        throw controller.signal.aborted ? new DOMException("the answer did not end in time", "TimeoutError") : error
      } finally {
        clearTimeout(timer)
      }
    }
  }
}

/** As much of the client's stack of middleware as is used here. */
interface MiddlewareStack {
  readonly add: (
    middleware: (next: (args: Arguments) => Promise<Answer>) => (args: Arguments) => Promise<Answer>,
    options: { readonly step: "deserialize"; readonly priority: "low"; readonly name: string }
  ) => void
}

interface Arguments {
  readonly request: {
    readonly method: string
    readonly protocol: string
    readonly hostname: string
    readonly port?: number | undefined
    readonly path: string
    readonly query?: Readonly<Record<string, string | ReadonlyArray<string> | null>> | undefined
    readonly headers: Record<string, string>
  }
}

interface Answer {
  readonly response: {
    readonly statusCode?: number | undefined
    readonly headers?: Readonly<Record<string, string>> | undefined
  }
}

const attemptMiddleware =
  (context: Context.Context<never>, call: Call, signal: AbortSignal, answered?: (() => void) | undefined) =>
  (next: (args: Arguments) => Promise<Answer>) =>
  (args: Arguments): Promise<Answer> => {
    const { request } = args
    const sent = AttemptSpan.attempt(request.method, (attempt) =>
      Effect.tryPromise({
        try: () =>
          AttemptSpan.quietly(async () => {
            Object.assign(request.headers, attempt.sentTo(urlOf(request)))
            const answer = await next(args)
            answered?.()
            const { headers, statusCode } = answer.response
            if (statusCode !== undefined) attempt.answered(statusCode)
            call.annotate("aws.request_id", headers?.["x-amz-request-id"])
            return answer
          }),
        catch: (error) => error
      })
    )
    // The fiber of the operation waits for the client, so the attempt is one of its own; the signal ends both.
    return Effect.runPromiseWith(context)(sent, { signal })
  }

const urlOf = ({ hostname, path, port, protocol, query }: Arguments["request"]): URL => {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}`)
  url.pathname = path
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of value === null ? [""] : Array.isArray(value) ? value : [value]) url.searchParams.append(name, one)
  }
  return url
}
