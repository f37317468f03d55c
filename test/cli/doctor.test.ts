import { chmodSync, mkdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { checks } from "../../src/cli/Finding.ts"
import { version } from "../../src/internal/version.ts"
import * as certificates from "../support/certificates.ts"
import * as Receiver from "../support/OtlpReceiver.ts"
import { examine, folder, project, root, run, serve, unusedPort, write } from "./support.ts"

const ca = fileURLToPath(new URL("../support/tls/ca.pem", import.meta.url))
const on = (endpoint: string) => ({ OTEL_ENABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: endpoint })
/** The status of each check, and the exit code. */
const statuses = (report: {
  readonly code: number | null
  readonly checks: ReadonlyArray<{ readonly check: string; readonly status: string }>
}): Record<string, unknown> => ({
  ...Object.fromEntries(report.checks.map(({ check, status }) => [check, status])),
  exit: report.code
})

describe("doctor", () => {
  it.effect("a collector that is there: everything is fine, in order, and the test trace has arrived", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      const cwd = yield* project()
      const report = yield* examine(on(receiver.endpoint), [], cwd)
      assert.isTrue(report.ok, JSON.stringify(report.checks))
      assert.strictEqual(report.code, 0)
      assert.strictEqual(report.version, version)
      assert.deepStrictEqual(
        report.checks.map(({ check }) => check),
        checks.filter((check) => check !== "tempo" && check !== "jaeger")
      )
      assert.deepStrictEqual(
        report.checks.filter(({ status }) => status !== "ok").map(({ check, status }) => [check, status]),
        [
          ["tls", "skipped"],
          ["peers", "skipped"]
        ]
      )
      const [first, second] = receiver.spans
      assert.lengthOf(receiver.spans, 2)
      assert.include(report.of("trace")[0]!.found, first!.traceId)
      assert.strictEqual(first!.traceId, second!.traceId)
      assert.deepStrictEqual(receiver.spanNames().sort(), ["effect-telemetry doctor", "effect-telemetry doctor child"])
      assert.strictEqual(report.settings.find(({ setting }) => setting === "serviceName")!.value, "checkout")
    }).pipe(Effect.scoped)
  )

  it.effect(
    "for a person: one line a check, the settings with their sources, the verdict last, no colours in a pipe",
    () =>
      Effect.gen(function* () {
        const receiver = yield* Receiver.scoped()
        const cwd = yield* project()
        const env = { ...on(receiver.endpoint), OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20hunter2" }
        const { code, stderr, stdout } = yield* run(["doctor"], { env, cwd })
        assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
        const lines = stdout.trimEnd().split("\n")
        assert.match(lines[0]!, /^ok {7}settings: 3 variables set \(OTEL_ENABLED, /)
        assert.match(stdout, /^ {11}endpoint +http:\/\/127\.0\.0\.1:\d+\/v1\/traces +OTEL_EXPORTER_OTLP_ENDPOINT$/m)
        assert.match(stdout, /^ {11}headers +authorization=<redacted> +OTEL_EXPORTER_OTLP_HEADERS$/m)
        assert.notInclude(stdout, "hunter2")
        assert.notInclude(stdout, "\u001b")
        assert.strictEqual(lines.at(-1), "ok       traces arrive")
        const forced = yield* run(["doctor"], { env: { ...env, FORCE_COLOR: "1" }, cwd })
        assert.include(forced.stdout, "\u001b[32mok")
        const without = yield* run(["doctor"], { env: { ...env, FORCE_COLOR: "1", NO_COLOR: "1" }, cwd })
        assert.notInclude(without.stdout, "\u001b")
      }).pipe(Effect.scoped)
  )

  it.effect("off: it fails, and looks at the rest as if it was on", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      const report = yield* examine({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint })
      assert.strictEqual(report.code, 1)
      assert.isFalse(report.ok)
      assert.deepInclude(statuses(report), { enabled: "failed", sampling: "skipped", answer: "ok", trace: "ok" })
      const disabled = yield* examine({ ...on(receiver.endpoint), OTEL_SDK_DISABLED: "true" })
      assert.include(disabled.of("enabled")[0]!, { status: "failed", todo: "remove OTEL_SDK_DISABLED" })
    }).pipe(Effect.scoped)
  )

  it.effect("sampled away fails; a share arrives, with a warning", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      const none = yield* examine({ ...on(receiver.endpoint), OTEL_TRACE_SAMPLER_RATE: "0" })
      assert.deepInclude(statuses(none), { sampling: "failed", trace: "ok", exit: 1 })
      const some = yield* examine({ ...on(receiver.endpoint), OTEL_TRACE_SAMPLER_RATE: "0.1" })
      assert.deepInclude(statuses(some), { sampling: "warning", trace: "ok", exit: 0 })
      assert.lengthOf(receiver.spans, 4)
    }).pipe(Effect.scoped)
  )

  it.effect("settings that are not accepted: all of them, masked, and nothing else is asked", () =>
    Effect.gen(function* () {
      const report = yield* examine({
        OTEL_ENABLED: "maybe",
        OTEL_TRACE_SAMPLER_RATE: "7",
        OTEL_EXPORTER_OTLP_HEADERS: "hunter2"
      })
      assert.strictEqual(report.code, 1)
      const found = report.of("settings").map((finding) => `${finding.status} ${finding.found}`)
      assert.lengthOf(found, 3)
      assert.include(found[0], "failed OTEL_ENABLED")
      assert.notInclude(JSON.stringify(report), "hunter2")
      assert.deepInclude(statuses(report), { answer: "skipped", trace: "skipped", spool: "skipped", node: "ok" })
      const late = yield* examine({ OTEL_EXPORTER_OTLP_CERTIFICATE: "/nowhere.pem" })
      assert.include(late.of("settings")[1]!.found, "OTEL_EXPORTER_OTLP_CERTIFICATE")
    })
  )

  it.effect("nobody listens: what comes after is not asked", () =>
    Effect.gen(function* () {
      const port = yield* unusedPort
      const report = yield* examine(on(`http://localhost:${port}`))
      assert.deepInclude(statuses(report), {
        name: "ok",
        connection: "failed",
        tls: "skipped",
        answer: "skipped",
        clock: "skipped",
        trace: "skipped",
        packages: "ok"
      })
      assert.strictEqual(report.code, 1)
    })
  )

  it.effect("TLS: with the authority of the settings all is well, without it is said", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped({ tls: certificates.server })
      const env = on(receiver.endpoint)
      const without = yield* examine(env)
      assert.deepInclude(statuses(without), { tls: "failed", answer: "skipped", exit: 1 })
      const given = yield* examine({ ...env, OTEL_EXPORTER_OTLP_CERTIFICATE: ca })
      assert.deepInclude(statuses(given), { tls: "ok", answer: "ok", trace: "ok", exit: 0 })
    }).pipe(Effect.scoped)
  )

  it.effect("an empty export is taken, and spans are not", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      receiver.answer(
        Receiver.byRequest(({ traces }) =>
          (traces?.spans.length ?? 0) === 0 ? Receiver.ok : Receiver.status(403, { message: "quota is used up" })
        )
      )
      const report = yield* examine(on(receiver.endpoint))
      assert.deepInclude(statuses(report), { answer: "ok", trace: "failed", exit: 1 })
      assert.include(report.of("trace")[0]!.found, "quota is used up")
    }).pipe(Effect.scoped)
  )

  it.effect("a refusal says what to do, and its date is looked at all the same", () =>
    Effect.gen(function* () {
      const { url } = yield* serve((request, response) => {
        request.resume()
        response.writeHead(401, { date: new Date(Date.now() - 3_600_000).toUTCString() }).end()
      })
      const report = yield* examine(on(url))
      assert.include(report.of("answer")[0]!, { status: "failed", found: "HTTP 401" })
      assert.include(report.of("clock")[0]!, { status: "warning" })
      assert.match(report.of("clock")[0]!.found, /^this machine is 3\d{3} s ahead of the server$/)
      assert.strictEqual(report.of("trace")[0]!.status, "skipped")
    }).pipe(Effect.scoped)
  )

  it.effect("the exporter uses no proxy, whatever the variables say", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      let asked = 0
      const proxy = yield* serve((_, response) => {
        asked++
        response.end()
      })
      const env = { HTTP_PROXY: proxy.url, http_proxy: proxy.url, NODE_USE_ENV_PROXY: "1", NO_PROXY: "" }
      // A name of this machine that is not loopback to the reader of variables.
      const report = yield* examine({ ...on(receiver.endpoint.replace("127.0.0.1", "0.0.0.0")), ...env })
      assert.include(report.of("proxy")[0]!, { status: "warning" })
      assert.strictEqual(report.code, 0, JSON.stringify(report.checks))
      assert.lengthOf(receiver.spans, 2)
      assert.strictEqual(asked, 0)
    }).pipe(Effect.scoped)
  )

  it.effect("the application's files: missing clients fail, process.exit is a warning", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      const cwd = yield* project({
        "src/cache.ts": `import * as CacheLive from "effect-telemetry/CacheLive"\n`,
        "src/end.ts": "process.exit(0)\n"
      })
      const report = yield* examine(on(receiver.endpoint), [], cwd)
      assert.deepInclude(statuses(report), { peers: "failed", code: "warning" })
      assert.strictEqual(report.code, 1)
      assert.include(
        report.of("peers").map(({ todo }) => todo),
        'npm install redis@"^6.3.1"'
      )
    }).pipe(Effect.scoped)
  )

  it.effect("a spool that cannot be used is a warning: traces arrive from memory", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      const at = yield* folder
      write(at, { file: "" })
      const report = yield* examine({ ...on(receiver.endpoint), OTEL_SPOOL_DIRECTORY: `${at}/file` })
      assert.deepInclude(statuses(report), { spool: "warning", trace: "ok", exit: 0 })
      if (process.getuid?.() !== 0) {
        mkdirSync(`${at}/closed`)
        chmodSync(`${at}/closed`, 0o500)
        const closed = yield* examine({ ...on(receiver.endpoint), OTEL_SPOOL_DIRECTORY: `${at}/closed` })
        assert.include(closed.of("spool")[0]!.found, "not writable")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("variables of a file, before which the environment goes", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      const at = yield* folder
      write(at, {
        ".env": `OTEL_ENABLED=true\nOTEL_EXPORTER_OTLP_ENDPOINT=${receiver.endpoint}\nOTEL_SERVICE_NAME=file\n`
      })
      const report = yield* examine({ OTEL_SERVICE_NAME: "environment" }, ["--dotenv", `${at}/.env`])
      assert.strictEqual(report.code, 0)
      assert.strictEqual(report.settings.find(({ setting }) => setting === "serviceName")!.value, "environment")
      const { code, stderr } = yield* run(["doctor", "--dotenv", `${at}/none`])
      assert.strictEqual(code, 1)
      assert.include(stderr, `--dotenv ${at}/none cannot be read: ENOENT`)
    }).pipe(Effect.scoped)
  )

  it.effect("where there is no application, packages are not looked at", () =>
    Effect.gen(function* () {
      const receiver = yield* Receiver.scoped()
      const report = yield* examine(on(receiver.endpoint), [], "/")
      assert.deepInclude(statuses(report), { packages: "skipped", peers: "skipped", code: "skipped", trace: "ok" })
      const own = yield* examine(on(receiver.endpoint), [], root)
      assert.include(own.of("code")[0]!.found, "this is effect-telemetry itself")
    }).pipe(Effect.scoped)
  )
})
