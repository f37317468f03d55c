import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"
import type { Tag } from "../../../src/operation/Reason.ts"
import { Storage } from "../../../src/services/Storage/Storage.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { type Answer, errorXml, inTurn, operations, withServer, xml } from "./s3Server.ts"

const copied =
  "<CopyObjectResult><ETag>&quot;e2&quot;</ETag><LastModified>2022-10-12T17:50:00Z</LastModified></CopyObjectResult>"

describe("StorageLive: what the service answers", () => {
  type Operation = keyof typeof operations
  /** Codes of the service, each with its status, and how often the operation is attempted. */
  const coded: ReadonlyArray<readonly [Operation, status: number, code: string, Tag, attempts: number, title: string]> =
    [
      ["get", 404, "NoSuchBucket", "NotFound", 1, "NoSuchBucket"],
      ["copy", 404, "NoSuchKey", "NotFound", 1, "NoSuchKey of a copy"],
      ["put", 503, "SlowDown", "RateLimited", 3, "SlowDown"],
      ["putStream", 503, "SlowDown", "RateLimited", 1, "SlowDown, body a stream"],
      ["putIf", 503, "SlowDown", "RateLimited", 3, "SlowDown under a condition: it has not acted"],
      ["get", 503, "ServiceUnavailable", "Unavailable", 3, "ServiceUnavailable"],
      ["put", 500, "InternalError", "Unavailable", 3, "InternalError"],
      ["putIf", 500, "InternalError", "Unavailable", 1, "InternalError under a condition: it may have acted"],
      ["putStream", 500, "InternalError", "Unavailable", 1, "InternalError, body a stream"],
      ["put", 400, "RequestTimeout", "Timeout", 3, "RequestTimeout"],
      ["put", 400, "BadDigest", "Unavailable", 3, "BadDigest: damaged on the way"],
      ["putIf", 412, "PreconditionFailed", "Conflict", 1, "PreconditionFailed"],
      ["putIf", 409, "ConditionalRequestConflict", "Conflict", 1, "ConditionalRequestConflict"],
      ["get", 403, "InvalidObjectState", "Conflict", 1, "an archived object"],
      ["put", 403, "RequestTimeTooSkewed", "Unauthorized", 1, "RequestTimeTooSkewed"],
      ["list", 403, "AccessDenied", "Unauthorized", 1, "AccessDenied"],
      ["get", 301, "PermanentRedirect", "InvalidRequest", 1, "another region"],
      ["put", 400, "EntityTooLarge", "InvalidRequest", 1, "EntityTooLarge"],
      ["copy", 501, "NotImplemented", "Unavailable", 1, "not implemented"],
      ["copy", 200, "InternalError", "Unavailable", 3, "a copy: 200 with an error inside"],
      ["copy", 200, "SlowDown", "RateLimited", 3, "a copy: 200 with SlowDown inside"]
    ]
  const others: ReadonlyArray<
    readonly [title: string, Operation, Answer, Tag, code: string | undefined, attempts: number]
  > = [
    ["429", "head", xml(429, ""), "RateLimited", undefined, 3],
    [
      "a proxy's page of HTML",
      "get",
      xml(502, "<html><body>Bad Gateway</body></html>", { "content-type": "text/html" }),
      "Unavailable",
      undefined,
      3
    ],
    [
      "a proxy's text",
      "delete",
      (response, request) => void (request.resume(), response.writeHead(502).end("upstream\u0000 <")),
      "Unavailable",
      undefined,
      3
    ],
    ["a gateway's timeout", "get", xml(504, ""), "Timeout", undefined, 3],
    [
      "ExpiredToken",
      "get",
      xml(400, errorXml("ExpiredToken", "The provided token has expired.", "<Token-0>the-session-token</Token-0>")),
      "Unauthorized",
      "ExpiredToken",
      1
    ],
    [
      "SignatureDoesNotMatch",
      "put",
      xml(
        403,
        errorXml(
          "SignatureDoesNotMatch",
          "The request signature we calculated does not match",
          "<AWSAccessKeyId>AKIDEXAMPLE</AWSAccessKeyId><StringToSign>the-session-token</StringToSign>"
        )
      ),
      "Unauthorized",
      "SignatureDoesNotMatch",
      1
    ],
    ["a head that is denied, without a body", "head", xml(403, ""), "Unauthorized", undefined, 1],
    ["a copy: 200 and nothing", "copy", xml(200, ""), "Unavailable", "InternalError", 3],
    ["a copy without its result", "copy", xml(200, "<CopyObjectResult></CopyObjectResult>"), "Decode", undefined, 1],
    [
      "a put without an entity tag",
      "put",
      (response, request) => void (request.resume(), response.writeHead(200).end()),
      "Decode",
      undefined,
      1
    ],
    ["a listing that is no XML", "list", xml(200, "<ListBucketResult><Contents>"), "Decode", undefined, 1],
    ["a listing of HTML", "list", xml(200, "not < xml"), "Decode", undefined, 1],
    [
      "a listing with an entry without key",
      "list",
      xml(
        200,
        "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Size>1</Size></Contents></ListBucketResult>"
      ),
      "Decode",
      undefined,
      1
    ]
  ]
  const cases = [
    ...coded.map(([operation, status, code, tag, attempts, title]) => {
      return [title, operation, xml(status, errorXml(code, "A message.")), tag, code, attempts] as const
    }),
    ...others
  ]
  for (const [title, operation, answer, tag, code, attempts] of cases) {
    it.live(`${title} (${operation})`, () =>
      withServer(answer, { circuit: false }, (server) =>
        Effect.gen(function* () {
          const failure = yield* Effect.flip(
            operations[operation] as Effect.Effect<unknown, { reason: any; isRetryable: boolean }, Storage>
          )
          assert.deepStrictEqual([failure.reason._tag, failure.reason.code], [tag, code], inspect(failure.reason))
          assert.strictEqual(server.got.length, attempts)
          const span = yield* TestTelemetry.expectSpan(/^s3\./, {
            status: "error",
            attributes: {
              "error.type": tag,
              "external.error.retryable": failure.isRetryable,
              "external.retry_count": attempts === 1 ? undefined : attempts - 1
            }
          })
          assert.strictEqual(span.children.length, attempts)
          const shown = inspect([failure, span.attributes, span.events], { depth: 12, showHidden: true })
          assert.notInclude(shown, "the-session-token")
          assert.notInclude(shown, "the-secret-key")
        })
      )
    )
  }

  it.live(
    "a missing key is none: NoSuchKey, a 404 without a body, and a head, of which the client only says UnknownError",
    () =>
      withServer(
        inTurn(xml(404, errorXml("NoSuchKey", "The specified key does not exist.")), xml(404, ""), xml(404, "")),
        {},
        () =>
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* operations.get, Option.none())
            assert.deepStrictEqual(yield* operations.get, Option.none())
            assert.deepStrictEqual(yield* operations.head, Option.none())
            yield* TestTelemetry.expectTrace({
              name: "s3.head_object",
              status: "unset",
              attributes: { "error.type": undefined, "aws.request_id": "TX4F9" },
              children: [{ name: "HEAD", attributes: { "error.type": "404", "http.response.status_code": 404 } }]
            })
          })
      )
  )

  it.live("a copy that fails inside of its 200 is repeated, and then it is there", () =>
    withServer(
      inTurn(xml(200, errorXml("InternalError", "We encountered")), xml(200, ""), xml(200, copied)),
      {},
      (server) =>
        Effect.gen(function* () {
          const result = yield* operations.copy
          assert.deepStrictEqual(result, { etag: "e2", lastModified: new Date("2022-10-12T17:50:00Z") })
          assert.strictEqual(server.got.length, 3)
          yield* TestTelemetry.expectTrace({
            name: "s3.copy_object",
            status: "unset",
            attributes: { "external.retry_count": 2 },
            events: ["retry", "retry"],
            children: [
              { name: "PUT", attributes: { "http.request.resend_count": undefined } },
              { name: "PUT", attributes: { "http.request.resend_count": 1 } },
              { name: "PUT", attributes: { "http.request.resend_count": 2 } }
            ]
          })
        })
    )
  )

  it.live("Retry-After is honoured: what is longer than one waits for is not waited for", () =>
    withServer(xml(503, errorXml("SlowDown", "Reduce"), { "retry-after": "120" }), {}, (server) =>
      Effect.gen(function* () {
        const { reason } = yield* Effect.flip(operations.put)
        assert(reason._tag === "RateLimited")
        assert.deepStrictEqual(reason.retryAfter, Duration.seconds(120))
        assert.strictEqual(server.got.length, 1)
      })
    )
  )

  it.live("a bulk delete of which some are refused is a partial success", () =>
    withServer(
      xml(
        200,
        "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>"
      ),
      {},
      () =>
        Effect.gen(function* () {
          const storage = yield* Storage
          assert.deepStrictEqual(yield* storage.deleteObjects({ keys: ["a", "b"] }), {
            deleted: ["a"],
            refused: [{ key: "b", code: "AccessDenied", message: "Access Denied" }]
          })
          yield* TestTelemetry.expectSpan("s3.delete_object", {
            status: "unset",
            attributes: { "result.item_count": 1, "result.partial": true }
          })
        })
    )
  )

  it.live("pages: a token that does not move on, and a page that fails, end the stream and its span", () =>
    withServer(
      inTurn(
        xml(
          200,
          "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>"
        ),
        xml(
          200,
          "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>"
        ),
        xml(
          200,
          "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>u</NextContinuationToken><Contents><Key>a</Key><Size>1</Size><ETag>e</ETag><LastModified>2022-10-12T17:50:00Z</LastModified></Contents></ListBucketResult>"
        ),
        xml(403, errorXml("AccessDenied", "Access Denied"))
      ),
      {},
      () =>
        Effect.gen(function* () {
          assert.strictEqual((yield* Effect.flip(operations.list)).reason._tag, "Decode")
          const storage = yield* Storage
          const seen: Array<string> = []
          const failure = yield* Effect.flip(
            Stream.runForEach(storage.listObjects({}), (entry) => Effect.sync(() => seen.push(entry._tag))).pipe(
              Effect.withSpan("reader")
            )
          )
          assert.deepStrictEqual([failure.reason._tag, seen], ["Unauthorized", ["Object"]])
          yield* TestTelemetry.expectSpan("s3.list_objects", {
            status: "error",
            attributes: { "error.type": "Unauthorized", "result.item_count": 1 },
            children: [{ status: "unset" }, { status: "error" }]
          })
        })
    )
  )
})
