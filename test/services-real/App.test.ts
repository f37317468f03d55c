/**
 * The whole reference backend, as `npm start -- --once` runs it, on PostgreSQL, Redis, Elasticsearch and S3; its traces are read
 * back from Jaeger, as a person would see them.
 */
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { randomUUID } from "node:crypto"
import { afterAll, beforeAll } from "vitest"
import * as DatabaseLive from "../../src/services/Database/DatabaseLive.ts"
import { type Command, endAfterEach, start } from "../scratchpad/command.ts"
import { realServer } from "./support.ts"

interface JaegerSpan {
  readonly spanID: string
  readonly operationName: string
  readonly startTime: number
  readonly references: ReadonlyArray<{ readonly refType: string; readonly traceID: string; readonly spanID: string }>
  readonly tags: ReadonlyArray<{ readonly key: string; readonly value: unknown }>
  readonly logs: ReadonlyArray<{ readonly fields: ReadonlyArray<{ readonly key: string; readonly value: unknown }> }>
}

/** A span with what is below it, by start. */
interface Seen {
  readonly name: string
  readonly span: JaegerSpan
  readonly children: ReadonlyArray<Seen>
}

const tagsOf = ({ span }: Seen): Readonly<Record<string, unknown>> =>
  Object.fromEntries(span.tags.map(({ key, value }) => [key, value]))

/** `name(child, child(grandchild))`: what is compared. */
const shape = ({ children, name }: Seen): string =>
  children.length === 0 ? name : `${name}(${children.map(shape).join(", ")})`

const flatten = (seen: Seen): ReadonlyArray<Seen> => [seen, ...seen.children.flatMap(flatten)]

const treeOf = (spans: ReadonlyArray<JaegerSpan>): Seen => {
  const parentOf = (span: JaegerSpan) =>
    span.references.find(
      ({ refType, spanID }) => refType === "CHILD_OF" && spans.some((other) => other.spanID === spanID)
    )?.spanID
  const below = (span: JaegerSpan): Seen => ({
    name: span.operationName,
    span,
    children: spans
      .filter((other) => parentOf(other) === span.spanID)
      .toSorted((a, b) => a.startTime - b.startTime)
      .map(below)
  })
  const roots = spans.filter((span) => parentOf(span) === undefined)
  assert.lengthOf(roots, 1, "a trace has one root")
  return below(roots[0]!)
}

realServer(
  "TEST_DATABASE_URL",
  "TEST_REDIS_URL",
  "TEST_ELASTICSEARCH_URL",
  "TEST_S3_ENDPOINT",
  "TEST_S3_ACCESS_KEY",
  "TEST_S3_SECRET_KEY",
  "TEST_JAEGER_OTLP_ENDPOINT",
  "TEST_JAEGER_QUERY_URL"
)("the reference backend", (servers) => {
  endAfterEach()

  const run = randomUUID().slice(0, 8)
  const database = `app_${run}`
  const bucket = `app-${run}`
  let command: Command
  let traceIds: ReadonlyArray<string> = []

  const sql = (statement: string) =>
    Effect.runPromise(
      Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(statement)).pipe(
        Effect.provide(DatabaseLive.layer({ url: servers.TEST_DATABASE_URL }))
      )
    )

  /** Waits until Jaeger has all spans of a trace. */
  const trace = async (traceId: string, spans: number): Promise<Seen> => {
    for (let attempt = 0; ; attempt++) {
      const response = await fetch(`${servers.TEST_JAEGER_QUERY_URL}/api/traces/${traceId}`)
      const found = response.ok ? ((await response.json()) as any).data[0].spans : []
      if (found.length >= spans) return treeOf(found)
      if (attempt > 100) assert.fail(`Jaeger has ${found.length} of ${spans} spans of ${traceId}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  /** The traces that were printed under a title, as Jaeger has them. */
  const tracesOf = async (title: string): Promise<ReadonlyArray<Seen>> => {
    const section = command
      .stdout()
      .split(/^(?=\d+\/\d+ )/m)
      .find((part) => part.includes(` ${title} `))
    const printed = [...(section ?? "").matchAll(/^trace ([0-9a-f]{32}) {2}(\d+) spans?/gm)]
    return Promise.all(printed.map(([, traceId, spans]) => trace(traceId!, Number(spans))))
  }

  beforeAll(async () => {
    await sql(`CREATE DATABASE ${database}`)
    const s3 = new S3Client({
      endpoint: servers.TEST_S3_ENDPOINT,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: servers.TEST_S3_ACCESS_KEY, secretAccessKey: servers.TEST_S3_SECRET_KEY }
    })
    await s3.send(new CreateBucketCommand({ Bucket: bucket }))
    s3.destroy()
    const url = new URL(servers.TEST_DATABASE_URL)
    url.pathname = `/${database}`
    command = start("scratchpad/app/main.ts", ["--once"], {
      DATABASE_URL: url.href,
      REDIS_URL: servers.TEST_REDIS_URL,
      ELASTICSEARCH_URL: servers.TEST_ELASTICSEARCH_URL,
      S3_ENDPOINT: servers.TEST_S3_ENDPOINT,
      S3_BUCKET: bucket,
      S3_FORCE_PATH_STYLE: "true",
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: servers.TEST_S3_ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: servers.TEST_S3_SECRET_KEY,
      OTEL_EXPORTER_OTLP_ENDPOINT: servers.TEST_JAEGER_OTLP_ENDPOINT,
      OTEL_SERVICE_NAME: `social-audio-${run}`
    })
    const ended = await command.ended
    assert.deepStrictEqual(ended, { code: 0, signal: null }, command.stdout() + command.stderr())
    traceIds = command.stdout().match(/(?<=^trace )[0-9a-f]{32}/gm) ?? []
  })

  afterAll(() => sql(`DROP DATABASE ${database}`))

  it("uses the real servers, and says so", () => {
    for (const part of ["PostgreSQL", "Redis", "Elasticsearch", "S3"]) {
      assert.match(command.stdout(), new RegExp(`starting: ${part} `))
    }
    assert.match(command.stdout(), /requests, \d+ traces, all as expected/)
  })

  it("has sent every trace, and nothing else", async () => {
    assert.isAbove(traceIds.length, 10)
    const query = `service=social-audio-${run}&limit=1000`
    for (let attempt = 0; ; attempt++) {
      const response = await fetch(`${servers.TEST_JAEGER_QUERY_URL}/api/traces?${query}`)
      const found = ((await response.json()) as any).data.map(({ traceID }: { traceID: string }) => traceID)
      if (found.length >= traceIds.length || attempt > 100) {
        assert.sameMembers(found, [...traceIds])
        return
      }
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })

  it("creates a post: one trace, with an attempt's request under what it belongs to", async () => {
    const [created] = await tracesOf("A new post")
    const [event] = created!.children
    assert.strictEqual(created!.name, "POST /api/v1/posts")
    assert.strictEqual(event!.name, "feed.create_post")
    // Side by side, these may start in any order.
    assert.sameMembers(event!.children.map(shape), [
      "db.begin",
      "db.insert",
      "db.select",
      "db.commit",
      "s3.put_object(PUT)",
      "es.index(PUT)",
      "stream.create_activity",
      "gorse.insert_user_item",
      "cache.delete"
    ])
    for (const seen of flatten(created!)) {
      assert.deepInclude(tagsOf(seen), { "user.id": "u_mara", "request.id": "demo-5" }, seen.name)
    }
    const [insert] = event!.children.filter(({ name }) => name === "db.insert")
    assert.deepInclude(tagsOf(insert!), {
      "db.system.name": "postgresql",
      "db.namespace": database,
      "db.query.summary": "INSERT posts",
      "span.kind": "client"
    })
    const [put] = event!.children.find(({ name }) => name === "s3.put_object")!.children
    assert.deepInclude(tagsOf(put!), { "http.request.method": "PUT", "http.response.status_code": 200 })
  })

  it("processes a recording in a trace of its own, linked to the request's", async () => {
    const [request, job] = await tracesOf("Its recording")
    assert.strictEqual(request!.name, "PUT /api/v1/posts/:id/audio")
    assert.strictEqual(shape(job!), "job.run process_audio(audio.processing(db.select, s3.get_object(GET), db.update))")
    const producer = flatten(request!).find(({ name }) => name === "job.enqueue process_audio")!
    const [link] = job!.span.references
    assert.deepInclude(link, { refType: "FOLLOWS_FROM", spanID: producer.span.spanID })
  })

  it("fills and reads the cache", async () => {
    const [first] = await tracesOf("A feed, which is not cached yet")
    const [second] = await tracesOf("The same feed again")
    const cacheHit = (seen: Seen) => tagsOf(flatten(seen).find(({ name }) => name === "cache.get")!)["cache.hit"]
    assert.isFalse(cacheHit(first!))
    assert.isTrue(cacheHit(second!))
    assert.strictEqual(shape(second!), "GET /api/v1/feed(feed.get(cache.get))")
  })

  it("searches Elasticsearch, and the database while that fails", async () => {
    const [failing] = await tracesOf("A search")
    const [working] = await tracesOf("A search with a typing error")
    assert.strictEqual(shape(failing!), "GET /api/v1/search(search.query(es.search, db.select))")
    assert.strictEqual(tagsOf(failing!.children[0]!)["search.fallback_used"], true)
    assert.strictEqual(shape(working!), "GET /api/v1/search(search.query(es.search(POST), db.select))")
    assert.strictEqual(tagsOf(working!.children[0]!)["search.fallback_used"], false)
    assert.strictEqual(tagsOf(working!.children[0]!)["search.result_count"], 1)
  })
})
