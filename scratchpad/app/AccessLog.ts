/** A log line for each request, for a backend whose lines go somewhere (`Signals.ts`). */
import { Cause, Context, Effect, Option } from "effect"
import { HttpMiddleware, HttpServerError, HttpServerRequest } from "effect/http"

/** Whether there is one. */
export const AccessLog = Context.Reference<boolean>("app/AccessLog", { defaultValue: () => false })

/** Not of those who only ask whether all is well. */
const probes = ["/health"]

/** `GET /api/v1/users/u_mara 200`, with what went wrong, if something did. What is ours (5xx) is an error. */
export const middleware = HttpMiddleware.make((app) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const exit = yield* Effect.exit(app)
    const path = request.url.split("?", 1)[0]!
    if (probes.includes(path)) return yield* exit
    const [response, cause] =
      exit._tag === "Success"
        ? [exit.value, Option.none<Cause.Cause<unknown>>()]
        : HttpServerError.causeResponseStripped(exit.cause)
    const line = `${request.method} ${path} ${response.status}`
    const log = response.status >= 500 ? Effect.logError : Effect.logInfo
    yield* Option.match(cause, { onNone: () => log(line), onSome: (why) => log(line, why) })
    return yield* exit
  })
)

/** No line, and no span either. */
export const layerProbesUntraced = HttpMiddleware.layerTracerDisabledForUrls(probes)
