import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"
import { readText, Storage } from "../../../src/services/Storage/Storage.ts"
import * as StorageLive from "../../../src/services/Storage/StorageLive.ts"
import * as TestTelemetry from "../../../src/testing/TestTelemetry.ts"
import { type Answer, errorXml, inTurn, withServer, xml } from "./s3Server.ts"

const stored = (body: string, headers: Record<string, string> = {}): Answer =>
  function (response, request) {
    request.resume()
    response.writeHead(200, {
      etag: '"e1"',
      "last-modified": "Wed, 12 Oct 2022 17:50:00 GMT",
      "content-type": "text/plain",
      "content-length": String(Buffer.byteLength(body)),
      "x-amz-request-id": "TX4F9",
      ...headers
    })
    response.end(request.method === "HEAD" ? undefined : body)
  }

const copied =
  "<CopyObjectResult><ETag>&quot;e2&quot;</ETag><LastModified>2022-10-12T17:50:00Z</LastModified></CopyObjectResult>"

const operations = {
  get: Effect.flatMap(Storage, (storage) => storage.getObject({ key: "k" })),
  head: Effect.flatMap(Storage, (storage) => storage.headObject({ key: "k" })),
  put: Effect.flatMap(Storage, (storage) => storage.putObject({ key: "k", body: "x" })),
  putIf: Effect.flatMap(Storage, (storage) => storage.putObject({ key: "k", body: "x", ifNoneMatch: "*" })),
  putStream: Effect.flatMap(Storage, (storage) => storage.putObject({ key: "k", body: Stream.make(Buffer.from("x")) })),
  delete: Effect.flatMap(Storage, (storage) => storage.deleteObject({ key: "k" })),
  copy: Effect.flatMap(Storage, (storage) => storage.copyObject({ key: "k", source: { key: "s" } })),
  list: Effect.flatMap(Storage, (storage) => Stream.runCollect(storage.listObjects({})))
} as const

describe("StorageLive: what the service answers", () => {
  const cases: ReadonlyArray<
    readonly [
      title: string,
      operation: keyof typeof operations,
      answer: Answer,
      reason: string,
      code: string | undefined,
      attempts: number
    ]
  > = [
    [
      "NoSuchBucket",
      "get",
      xml(404, errorXml("NoSuchBucket", "The specified bucket does not exist")),
      "NotFound",
      "NoSuchBucket",
      1
    ],
    [
      "NoSuchKey of a copy",
      "copy",
      xml(404, errorXml("NoSuchKey", "The specified key does not exist.")),
      "NotFound",
      "NoSuchKey",
      1
    ],
    [
      "SlowDown",
      "put",
      xml(503, errorXml("SlowDown", "Please reduce your request rate.")),
      "RateLimited",
      "SlowDown",
      3
    ],
    [
      "SlowDown, body a stream",
      "putStream",
      xml(503, errorXml("SlowDown", "Please reduce your request rate.")),
      "RateLimited",
      "SlowDown",
      1
    ],
    [
      "SlowDown under a condition: it has not acted",
      "putIf",
      xml(503, errorXml("SlowDown", "Reduce")),
      "RateLimited",
      "SlowDown",
      3
    ],
    ["429", "head", xml(429, ""), "RateLimited", undefined, 3],
    [
      "ServiceUnavailable",
      "get",
      xml(503, errorXml("ServiceUnavailable", "Service is unable to handle request.")),
      "Unavailable",
      "ServiceUnavailable",
      3
    ],
    [
      "InternalError",
      "put",
      xml(500, errorXml("InternalError", "We encountered an internal error.")),
      "Unavailable",
      "InternalError",
      3
    ],
    [
      "InternalError under a condition: it may have acted",
      "putIf",
      xml(500, errorXml("InternalError", "We encountered")),
      "Unavailable",
      "InternalError",
      1
    ],
    [
      "InternalError, body a stream",
      "putStream",
      xml(500, errorXml("InternalError", "We encountered")),
      "Unavailable",
      "InternalError",
      1
    ],
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
      "RequestTimeout",
      "put",
      xml(400, errorXml("RequestTimeout", "Your socket connection was not read from or written to.")),
      "Timeout",
      "RequestTimeout",
      3
    ],
    [
      "BadDigest: damaged on the way",
      "put",
      xml(400, errorXml("BadDigest", "The checksum you specified did not match.")),
      "Unavailable",
      "BadDigest",
      3
    ],
    [
      "PreconditionFailed",
      "putIf",
      xml(412, errorXml("PreconditionFailed", "At least one of the pre-conditions did not hold")),
      "Conflict",
      "PreconditionFailed",
      1
    ],
    [
      "ConditionalRequestConflict",
      "putIf",
      xml(409, errorXml("ConditionalRequestConflict", "A conflicting operation occurred")),
      "Conflict",
      "ConditionalRequestConflict",
      1
    ],
    [
      "an archived object",
      "get",
      xml(403, errorXml("InvalidObjectState", "The operation is not valid for the storage class")),
      "Conflict",
      "InvalidObjectState",
      1
    ],
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
    [
      "RequestTimeTooSkewed",
      "put",
      xml(403, errorXml("RequestTimeTooSkewed", "The difference is too large.")),
      "Unauthorized",
      "RequestTimeTooSkewed",
      1
    ],
    ["AccessDenied", "list", xml(403, errorXml("AccessDenied", "Access Denied")), "Unauthorized", "AccessDenied", 1],
    ["a head that is denied, without a body", "head", xml(403, ""), "Unauthorized", undefined, 1],
    [
      "another region",
      "get",
      xml(301, errorXml("PermanentRedirect", "must be addressed using the specified endpoint")),
      "InvalidRequest",
      "PermanentRedirect",
      1
    ],
    [
      "EntityTooLarge",
      "put",
      xml(400, errorXml("EntityTooLarge", "Your proposed upload exceeds the maximum")),
      "InvalidRequest",
      "EntityTooLarge",
      1
    ],
    [
      "not implemented",
      "copy",
      xml(501, errorXml("NotImplemented", "A header implies functionality that is not implemented")),
      "Unavailable",
      "NotImplemented",
      1
    ],
    [
      "a copy: 200 with an error inside",
      "copy",
      xml(200, errorXml("InternalError", "We encountered an internal error.")),
      "Unavailable",
      "InternalError",
      3
    ],
    [
      "a copy: 200 with SlowDown inside",
      "copy",
      xml(200, errorXml("SlowDown", "Please reduce your request rate.")),
      "RateLimited",
      "SlowDown",
      3
    ],
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

  it.live("each request carries its own span; the trace is no part of what is signed", () =>
    withServer(stored("x"), {}, (server) =>
      Effect.gen(function* () {
        yield* operations.put
        yield* operations.head
        const [put, head] = server.got
        for (const [name, { headers, method }] of [
          ["s3.put_object", put!],
          ["s3.head_object", head!]
        ] as const) {
          const { attributes, children, data } = yield* TestTelemetry.expectSpan(name)
          assert.strictEqual(headers["traceparent"]?.slice(0, -3), `00-${data.traceId}-${children[0]!.data.spanId}`)
          const signed = /SignedHeaders=([^,]+)/.exec(headers.authorization!)![1]!
          assert.include(signed, "host")
          assert.notInclude(signed, "traceparent")
          assert.strictEqual(children[0]!.name, method)
          assert.strictEqual(attributes["aws.request_id"], "TX4F9")
          const shown = inspect(children, { depth: 12 })
          for (const secret of ["the-session-token", "the-secret-key", "Signature="]) assert.notInclude(shown, secret)
        }
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

describe("StorageLive: its settings", () => {
  const built = (environment: Record<string, string>, options: Partial<StorageLive.S3Options> = {}) =>
    Effect.exit(
      Effect.scoped(Layer.build(StorageLive.layerConfig(options))).pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(environment))
      )
    )
  const good = {
    S3_BUCKET: "media",
    S3_ENDPOINT: "http://127.0.0.1:1",
    AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
    AWS_SECRET_ACCESS_KEY: "hunter2/+"
  }
  const { S3_BUCKET: _, ...withoutBucket } = good
  const { AWS_SECRET_ACCESS_KEY: __, ...withoutSecret } = good
  const { AWS_ACCESS_KEY_ID: ___, ...withoutId } = good
  const { S3_ENDPOINT: ____, ...withoutEndpoint } = good
  const cases: ReadonlyArray<readonly [Record<string, string>, message: string]> = [
    [withoutBucket, "S3_BUCKET is not set"],
    [{ ...good, S3_BUCKET: "../etc" }, 'S3_BUCKET: "../etc" is not the name of a bucket'],
    [
      { ...good, S3_ENDPOINT: "localhost:9000" },
      "S3_ENDPOINT: the scheme localhost: is not accepted; expected http://host:port"
    ],
    [{ ...good, S3_ENDPOINT: "nothing" }, "S3_ENDPOINT: not a URL"],
    [{ ...good, S3_ENDPOINT: "https://user:hunter2@s3.example" }, "S3_ENDPOINT: credentials"],
    [withoutEndpoint, "AWS_REGION: not set"],
    [{ ...good, AWS_REGION: "Frankfurt am Main" }, 'AWS_REGION: "Frankfurt am Main" is not a region'],
    [withoutSecret, "AWS_SECRET_ACCESS_KEY is not set, but AWS_ACCESS_KEY_ID is"],
    [withoutId, "AWS_ACCESS_KEY_ID is not set, but AWS_SECRET_ACCESS_KEY is"],
    [{ ...good, AWS_SECRET_ACCESS_KEY: "hunter2\n" }, "AWS_SECRET_ACCESS_KEY has white space"],
    [{ ...good, AWS_SESSION_TOKEN: "hunter2 token" }, "AWS_SESSION_TOKEN has white space"],
    [{ ...good, S3_FORCE_PATH_STYLE: "perhaps" }, "S3_FORCE_PATH_STYLE"]
  ]
  for (const [environment, message] of cases) {
    it.effect(message, () =>
      Effect.gen(function* () {
        const exit = yield* built(environment)
        assert.strictEqual(exit._tag, "Failure")
        assert.include(inspect(exit, { depth: 12 }), message)
        assert.notInclude(inspect(exit, { depth: 12, showHidden: true }), "hunter2")
      })
    )
  }

  it.effect("a good environment builds; options win; parts have a least size", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* built(good))._tag, "Success")
      assert.strictEqual((yield* built(withoutBucket, { bucket: "media" }))._tag, "Success")
      const small = yield* built(good, { upload: { partSize: 1024 } })
      assert.include(inspect(small, { depth: 12 }), "upload.partSize: 1024 is not accepted")
    })
  )

  it.live("a session token is sent, presigned URLs have bucket and key, in the path or in the host", () =>
    Effect.gen(function* () {
      const url = (forcePathStyle: boolean | undefined) =>
        Effect.flatMap(Storage, (storage) => storage.createPresignedUrl({ key: "a b/ü", method: "PUT" })).pipe(
          Effect.provide(
            StorageLive.layer({
              bucket: "media",
              region: "eu-central-1",
              forcePathStyle,
              credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret", sessionToken: "token" }
            })
          ),
          Effect.map((presigned) => new URL(presigned.url))
        )
      const inHost = yield* url(undefined)
      assert.strictEqual(inHost.origin + inHost.pathname, "https://media.s3.eu-central-1.amazonaws.com/a%20b/%C3%BC")
      assert.strictEqual(inHost.searchParams.get("X-Amz-Security-Token"), "token")
      assert.strictEqual(inHost.searchParams.get("X-Amz-Expires"), "900")
      assert.deepStrictEqual(
        [...inHost.searchParams.keys()].filter((name) => /checksum/i.test(name)),
        []
      )
      const inPath = yield* url(true)
      assert.strictEqual(inPath.origin + inPath.pathname, "https://s3.eu-central-1.amazonaws.com/media/a%20b/%C3%BC")
    })
  )

  it.live("what was stored is read back from a plain server", () =>
    withServer(stored("hello", { "x-amz-meta-title": "A" }), {}, () =>
      Effect.gen(function* () {
        const object = Option.getOrThrow(yield* operations.get)
        assert.deepStrictEqual(
          [object.contentType, object.metadata, yield* readText(object)],
          ["text/plain", { title: "A" }, "hello"]
        )
      })
    )
  )
})
