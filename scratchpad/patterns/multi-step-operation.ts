/**
 * A multi-step operation: one business event around steps that follow each other, steps that run side by side, and one that
 * may fail without failing the whole.
 *
 *   npm run pattern -- multi-step-operation
 */
import { Data, Effect } from "effect"
import * as BusinessEvents from "effect-telemetry/events/BusinessEvents"
import { recordServiceError } from "effect-telemetry/operation/record"
import * as Correlation from "effect-telemetry/propagation/Correlation"
import * as Telemetry from "effect-telemetry/Telemetry"

class IndexAway extends Data.TaggedError("IndexAway")<{ readonly message: string }> {}

const step = (name: string, millis: number) => Effect.sleep(millis).pipe(Effect.withSpan(name, { kind: "client" }))

const indexPost = Effect.sleep(5).pipe(
  Effect.andThen(Effect.fail(new IndexAway({ message: "connection refused" }))),
  Effect.withSpan("es.index", { kind: "client" })
)

const createPost = Effect.gen(function* () {
  yield* step("db.insert", 4)
  yield* Effect.all(
    [
      step("s3.put_object", 20),
      // The post is there, even if it cannot be found for a while: recorded on the event, and gone on.
      indexPost.pipe(Effect.catchTag("IndexAway", (error) => recordServiceError("elasticsearch", error))),
      step("gorse.insert_user_item", 8)
    ],
    { concurrency: "unbounded" }
  )
  return { id: "p_01" }
}).pipe(BusinessEvents.createPost({ audioFormat: "flac" }, (post: { readonly id: string }) => ({ postId: post.id })))

// Outside of an HTTP server, a request begins by hand: every span below carries these ids.
const program = Effect.andThen(Correlation.setUser({ userId: "u_mara" }), createPost).pipe(
  Correlation.provide({ requestId: "import-7" })
)

const live = Telemetry.layer({ enabled: true, serviceName: "patterns", exporter: "console" })

Effect.runPromise(Effect.provide(program, live))
