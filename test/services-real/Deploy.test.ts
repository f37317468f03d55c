/**
 * `deploy/` as far as it can be run without containers: the compose file by the library that `docker compose` reads it with, the
 * stack's Collector with the reference backend before it and Prometheus behind it, the bucket on its S3 server, and the recipe of
 * the backend's image, step by step.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { HeadBucketCommand, S3Client } from "@aws-sdk/client-s3"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Telemetry from "../../src/Telemetry.ts"
import { compose, dockerfile, folder as deploy, read, root } from "../deploy/stack.ts"
import { dashboards, targetsOf } from "../deploy/grafana.ts"
import * as SignalsReceiver from "../support/SignalsReceiver.ts"
import { endAfterEach, start } from "../scratchpad/command.ts"
import { collector, configuration, folder, freePort, until } from "./collectors.ts"
import { realServer } from "./support.ts"

const receiver = (options: { readonly port?: number } = {}) =>
  Effect.acquireRelease(
    Effect.promise(() => SignalsReceiver.make(options)),
    (made) => Effect.promise(() => made.close())
  )

realServer("TEST_COMPOSE_BINARY")("deploy/compose.yaml", ({ TEST_COMPOSE_BINARY }) => {
  /** As `docker compose config` reads it, with the `.env` that `make-env.sh` makes or without one. */
  const config = (environment: boolean) => {
    const copy = mkdtempSync(join(tmpdir(), "compose-test-"))
    try {
      cpSync(deploy, copy, { recursive: true, filter: (path) => !path.endsWith("/.env") })
      if (environment) execFileSync("sh", [join(copy, "make-env.sh")])
      return spawnSync(TEST_COMPOSE_BINARY, [join(copy, "compose.yaml")], {
        encoding: "utf8",
        env: { PATH: process.env["PATH"] }
      })
    } finally {
      rmSync(copy, { recursive: true })
    }
  }

  it("is what the compose specification asks for, with every variable set", () => {
    const { status, stderr, stdout } = config(true)
    assert.strictEqual(status, 0, stderr)
    assert.strictEqual(stderr, "", "no variable without a value")
    const { services } = JSON.parse(stdout)
    assert.sameMembers(Object.keys(services), Object.keys(compose.services))
    for (const { ports = [] } of Object.values<any>(services))
      for (const port of ports) assert.strictEqual(port.host_ip, "127.0.0.1")
    assert.match(services.backend.environment.DATABASE_URL, /^postgresql:\/\/app:[0-9a-f]{48}@postgres:5432\/app$/)
    assert.strictEqual(
      services.redis.environment.REDISCLI_AUTH,
      services.backend.environment.REDIS_URL.split(/[:@]/)[2]
    )
    assert.strictEqual(services.backend.deploy.resources.limits.memory, String(768 * 1024 * 1024))
  })

  it("says what is missing, and how it is made", () => {
    const { status, stderr } = config(false)
    assert.notStrictEqual(status, 0)
    const secrets = [...read(".env.example").matchAll(/^(\w+)=generate$/gm)].map(([, name]) => name!)
    for (const name of secrets)
      assert.include(stderr, `required variable ${name} is missing a value: run sh deploy/make-env.sh`)
  })
})

realServer("TEST_COLLECTOR_BINARY", "TEST_PROMETHEUS_URL")(
  "the stack's Collector",
  ({ TEST_COLLECTOR_BINARY, TEST_PROMETHEUS_URL }) => {
    endAfterEach()

    const promql = async (query: string): Promise<any> => {
      const response = await fetch(`${TEST_PROMETHEUS_URL}/api/v1/query?${new URLSearchParams({ query })}`)
      const answer: any = await response.json()
      assert.strictEqual(answer.status, "success", `${query}: ${answer.error}`)
      return answer.data.result
    }

    it.live(
      "hands the backend's traces, lines and metrics to where each belongs",
      () =>
        Effect.gen(function* () {
          const [tempo, loki, port] = [yield* receiver(), yield* receiver(), yield* freePort]
          yield* collector(TEST_COLLECTOR_BINARY, ["collector.yaml"], {
            OTLP_HTTP_ENDPOINT: `127.0.0.1:${port}`,
            METRICS_PORT: String(yield* freePort),
            TEMPO_ENDPOINT: tempo.endpoint,
            LOKI_ENDPOINT: `${loki.endpoint}/otlp`,
            PROMETHEUS_ENDPOINT: `${TEST_PROMETHEUS_URL}/api/v1/otlp`
          })
          const set = compose.services["backend"]!.environment!
          const command = start("scratchpad/app/main.ts", ["--once"], {
            ...Object.fromEntries(
              Object.entries(set).flatMap(([name, value]) =>
                /^OTEL_(?!EXPORTER_OTLP_ENDPOINT|SPOOL|TRACE_SAMPLER)/.test(name) ? [[name, value!]] : []
              )
            ),
            OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
            OTEL_SPOOL_DIRECTORY: yield* folder
          })
          const ended = yield* Effect.promise(() => command.ended)
          assert.deepStrictEqual(ended, { code: 0, signal: null }, command.stdout() + command.stderr())

          const printed = command.stdout().match(/(?<=^trace )[0-9a-f]{32}/gm)!
          yield* until("every trace and every line", () => {
            const ids = new Set(tempo.spans().map(({ traceId }) => traceId))
            return printed.every((id) => ids.has(id)) && loki.logs().length >= 13
          })
          assert.deepStrictEqual([...new Set(tempo.received.map(({ path }) => path))], ["/v1/traces"])
          assert.deepStrictEqual([...new Set(loki.received.map(({ path }) => path))], ["/otlp/v1/logs"])
          const requests = tempo.spans().filter(({ kind }) => kind === 2)
          const lines = loki.logs().filter(({ traceId }) => traceId !== undefined)
          for (const { spanId, traceId } of requests)
            assert.isTrue(lines.some((line) => line.traceId === traceId && line.spanId === spanId))

          // A process' metrics have its instance; others may have been here before.
          const { "service.instance.id": instance } = tempo.spans()[0].resource
          const of = `{job="social-audio", instance="${instance}"}`
          const started = yield* Effect.promise(() => promql(`sum(otel_sdk_span_started_total${of})`))
          assert.isAtLeast(Number(started[0].value[1]), tempo.spans().length)
          const exported = yield* Effect.promise(() => promql(`sum(otel_sdk_exporter_span_exported_total${of})`))
          assert.strictEqual(Number(exported[0].value[1]), tempo.spans().length)
          assert.deepStrictEqual(
            (yield* Effect.promise(() => promql(`target_info${of}`)))[0].metric.deployment_environment_name,
            "compose"
          )

          // Every query of the dashboard runs, and those of what there always is find something.
          const telemetry = dashboards.find(({ uid }) => uid === "effect-telemetry-telemetry")!
          const queries = targetsOf(telemetry).flatMap(([{ title }, { expr }]) =>
            expr === undefined ? [] : [{ expr, title }]
          )
          assert.isAbove(queries.length, 15)
          const silent: Array<string> = []
          for (const { expr, title } of queries) {
            const query = expr
              .replaceAll("$job", "social-audio")
              .replaceAll("$instance", instance as string)
              .replaceAll(/\$__rate_interval|\$__range/g, "5m")
            if ((yield* Effect.promise(() => promql(query))).length === 0) silent.push(title)
          }
          // Nothing fails in that moment, there is one point of each curve only, and the memory for spans has no limit in spans.
          for (const title of ["Waiting, in flight, open", "Fullest memory", "Cannot reach the collector"])
            assert.notInclude(silent, title)
        }).pipe(Effect.scoped),
      { timeout: 120_000 }
    )

    it.live(
      "has what it took while Tempo was away, even after it was killed",
      () =>
        Effect.gen(function* () {
          const [port, tempoPort, directory] = [yield* freePort, yield* freePort, yield* folder]
          const environment = {
            OTLP_HTTP_ENDPOINT: `127.0.0.1:${port}`,
            METRICS_PORT: String(yield* freePort),
            QUEUE_DIRECTORY: join(directory, "queue"),
            TEMPO_ENDPOINT: `http://127.0.0.1:${tempoPort}`
          }
          const first = yield* collector(TEST_COLLECTOR_BINARY, ["collector.yaml"], environment)
          yield* Effect.forEach(
            Array.from({ length: 50 }, (_, index) => index),
            (index) => Effect.void.pipe(Effect.withSpan("kept", { attributes: { index } })),
            { discard: true }
          ).pipe(
            Effect.andThen(Telemetry.flush()),
            Effect.tap(({ complete }) => Effect.sync(() => assert.isTrue(complete, "the Collector has them"))),
            Effect.provide(
              Telemetry.layer({
                enabled: true,
                serviceName: "outage",
                endpoint: `http://127.0.0.1:${port}`,
                flushOnSignals: false,
                logs: "off"
              })
            )
          )
          yield* first.end("SIGKILL")
          const tempo = yield* receiver({ port: tempoPort })
          yield* collector(TEST_COLLECTOR_BINARY, ["collector.yaml"], environment)
          yield* until("50 spans", () => tempo.spans().length >= 50)
          assert.strictEqual(new Set(tempo.spans().map(({ spanId }) => spanId)).size, 50)
        }).pipe(Effect.scoped),
      { timeout: 60_000 }
    )
  }
)

realServer(
  "TEST_S3_ENDPOINT",
  "TEST_S3_ACCESS_KEY",
  "TEST_S3_SECRET_KEY"
)("deploy/make-bucket.ts", (servers) => {
  endAfterEach()

  const run = (environment: Readonly<Record<string, string>>) =>
    start(configuration("make-bucket.ts"), [], {
      S3_ENDPOINT: servers.TEST_S3_ENDPOINT,
      S3_FORCE_PATH_STYLE: "true",
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: servers.TEST_S3_ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: servers.TEST_S3_SECRET_KEY,
      ...environment
    })

  it("makes the bucket, once", async () => {
    const bucket = `made-${Date.now()}`
    const client = new S3Client({
      endpoint: servers.TEST_S3_ENDPOINT,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: servers.TEST_S3_ACCESS_KEY, secretAccessKey: servers.TEST_S3_SECRET_KEY }
    })
    for (const said of ["made", "is there"]) {
      const command = run({ S3_BUCKET: bucket })
      assert.deepStrictEqual(await command.ended, { code: 0, signal: null }, command.stderr())
      assert.strictEqual(command.stdout(), `bucket ${bucket}: ${said}\n`)
      await client.send(new HeadBucketCommand({ Bucket: bucket }))
    }
    client.destroy()
  })

  it("fails in one line where it cannot", async () => {
    const nameless = run({ S3_BUCKET: "" })
    assert.deepStrictEqual(await nameless.ended, { code: 1, signal: null })
    assert.strictEqual(nameless.stderr(), "make-bucket: S3_BUCKET is not set; expected a bucket's name\n")
    const refused = run({ S3_BUCKET: "refused", AWS_SECRET_ACCESS_KEY: "wrong" })
    assert.deepStrictEqual(await refused.ended, { code: 1, signal: null })
    assert.match(refused.stderr(), /^make-bucket: .+\n$/)
  })
})

// It needs the registry that `npm ci` takes packages from, as installing the servers does.
realServer("TEST_COMPOSE_BINARY")("deploy/backend.Dockerfile", () => {
  it("has all that the backend needs", { timeout: 300_000 }, () => {
    const image = mkdtempSync(join(tmpdir(), "backend-image-"))
    try {
      const text = read("backend.Dockerfile")
      for (const path of dockerfile("backend.Dockerfile").copied)
        cpSync(join(root, path), join(image, path), { recursive: true })
      const [, install] = /^RUN (npm ci [^&]*) &&/m.exec(text)!
      // Node.js stands first: the image has the very version.
      const path = `${root}node_modules/.bin:${process.env["PATH"]}`
      const run = (command: string, environment: NodeJS.ProcessEnv) =>
        execFileSync("sh", ["-c", command], { cwd: image, encoding: "utf8", env: { ...environment, PATH: path } })
      run(install!, process.env)
      const [program, ...args] = JSON.parse(/^CMD (\[.*\])$/m.exec(text)![1]!)
      assert.include(run([program, ...args, "--once"].join(" "), { PORT: "0" }), "all as expected")
      assert.notInclude(readFileSync(join(image, "package.json"), "utf8"), "postinstall")
    } finally {
      rmSync(image, { recursive: true })
    }
  })
})
