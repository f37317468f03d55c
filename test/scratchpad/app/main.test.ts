/** `npm start`, as a person or a script meets it. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "vitest"
import { steps } from "../../../scratchpad/app/Command/Demo.ts"
import { OtlpReceiver } from "../../support/OtlpReceiver.ts"
import { type Command, endAfterEach, start } from "../command.ts"

endAfterEach()

const main = "scratchpad/app/main.ts"
const npmStart = (args: ReadonlyArray<string> = [], environment: Readonly<Record<string, string>> = {}) =>
  start(main, args, environment)

const serving = async (command: Command): Promise<string> => {
  await command.says("Ctrl-C ends it.")
  const [, base] = /Serving on (http:\S+)\. /.exec(command.stdout()) ?? []
  assert(base !== undefined, command.stdout())
  return base
}

/** The parts of the output that belong to each request of the demo. */
const sections = (output: string): ReadonlyArray<string> => output.split(/^\d+\/\d+ .* ─+$/m).slice(1)

describe("npm start -- --once", () => {
  it(
    "prints each request, its answer and its trace, in this order, and sends the same traces elsewhere",
    { timeout: 120_000 },
    async () => {
      const receiver = await OtlpReceiver.make()
      try {
        const command = npmStart(["--once"], { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint })
        const { code } = await command.ended
        const output = command.stdout()
        assert.strictEqual(code, 0, output + command.stderr())
        assert.strictEqual(command.stderr(), "")
        assert.match(output, /OpenTelemetry tracing enabled: service social-audio, endpoint http/)
        assert.match(output, /database +ready: 2 migrations run, 6 users, 14 posts, \d+ ms/)
        assert.notInclude(output, "\u001b", "plain where it is not a terminal")

        const parts = sections(output)
        assert.lengthOf(parts, steps.length)
        for (const [at, step] of steps.entries()) {
          const lines = parts[at]!.split("\n").filter((line) => line.trim() !== "")
          assert.strictEqual(lines.shift(), step.shows)
          if (step.onPurpose !== undefined) {
            assert.strictEqual(lines.shift(), `on purpose (FAULTS=${step.onPurpose.fault}): ${step.onPurpose.shows}`)
          }
          assert.match(lines[0]!, new RegExp(`^${step.method} /`))
          const status = lines.findIndex((line) => line.startsWith(`${[step.status].flat()[0]} `))
          assert.isAbove(status, 0)
          assert.match(lines[status + 1]!, /^trace [0-9a-f]{32} {2}\d+ spans?/)
          assert.include(lines[status + 2]!, `request.id=demo-${at + 1} `)
          for (const name of step.spans) assert.include(parts[at]!, name)
          assert.lengthOf(parts[at]!.match(/^trace [0-9a-f]{32}/gm) ?? [], 1 + (step.jobs ?? 0))
        }
        const [request, job] = parts.find((part) => part.includes("job.run"))!.match(/(?<=^trace )[0-9a-f]{32}/gm)!
        assert.notStrictEqual(request, job)
        assert.include(output, `link to trace ${request} span `)
        const traces = [...new Set(output.match(/(?<=^trace )[0-9a-f]{32}/gm))]
        assert.include(output, `${steps.length} requests, ${traces.length} traces, all as expected`)

        await receiver.spansReceived(1)
        assert.sameMembers([...new Set(receiver.spans.map(({ traceId }) => traceId))], traces)
      } finally {
        await receiver.close()
      }
    }
  )

  it("says what FAULTS did, which is no failure", { timeout: 120_000 }, async () => {
    const command = npmStart(["--once"], { FAULTS: "s3=down", FORCE_COLOR: "1" })
    assert.deepStrictEqual(await command.ended, { code: 0, signal: null }, command.stdout())
    const last = command.stdout().split("\n").slice(-3).join("\n")
    assert.match(
      last,
      /traces, .*what FAULTS=s3=down does, on purpose.*:\n {2}.*Its recording: answered 503, expected 202\n/
    )
    assert.notInclude(last, "not all as expected")
    assert.include(command.stdout(), "\u001b[31m", "errors are red")
  })
})

describe("npm start", () => {
  it("goes on serving, prints the traces of others, and ends in good order", { timeout: 120_000 }, async () => {
    const command = npmStart()
    const base = await serving(command)
    assert.notInclude(command.stdout(), "endpoint http", "nothing is exported where nobody says so")
    for (const [line] of command.stdout().matchAll(/^ {2}curl .*$/gm)) assert.include(line, base)
    const before = command.stdout().length
    const response = await fetch(`${base}/api/v1/users/u_sol`, { headers: { "x-request-id": "mine-1" } })
    assert.strictEqual(response.status, 200)
    await command.says("request.id=mine-1")
    const printed = command.stdout().slice(before)
    assert.match(printed, /^\ntrace [0-9a-f]{32} {2}2 spans/)
    assert.match(printed, /GET \/api\/v1\/users\/:id .*\n +└─ db\.select/)

    command.process.kill("SIGTERM")
    assert.deepStrictEqual(await command.ended, { code: null, signal: "SIGTERM" })
    assert.strictEqual(command.stderr(), "")
  })

  it("names a port that is taken, and how to choose another", async () => {
    const other = createServer().listen(0, "127.0.0.1")
    try {
      await new Promise((resolve) => other.once("listening", resolve))
      const { port } = other.address() as AddressInfo
      const command = npmStart([], { PORT: String(port) })
      assert.deepStrictEqual(await command.ended, { code: 1, signal: null })
      assert.match(
        command.stderr(),
        new RegExp(`port ${port} is taken by another program; choose another: PORT=\\d+ npm start`)
      )
      assert.notInclude(command.stderr(), "    at ", "no stack trace")
      assert.notInclude(command.stdout(), "database", "nothing else was started")
    } finally {
      other.close()
    }
  })

  it.each([
    ["PORT", "eighty", /PORT is "eighty"; expected a number from 0 to 65535/],
    ["FAULTS", "cache=broken", /FAULTS: "cache=broken" is not accepted; expected .*down, fail:N/],
    ["DATABASE_URL", "mysql://root:s3cret@db/app", /DATABASE_URL: not a URL of PostgreSQL; expected postgresql:/],
    ["OTEL_TRACES_SAMPLER_ARG", "2", /OTEL_TRACES_SAMPLER_ARG/]
  ])("says what is wrong with %s=%s in one line", async (name, value, message) => {
    const command = npmStart(["--once"], { [name]: value, OTEL_TRACES_SAMPLER: "traceidratio" })
    assert.deepStrictEqual(await command.ended, { code: 1, signal: null })
    assert.match(command.stderr(), message)
    assert.notInclude(command.stderr(), "    at ")
    assert.notInclude(command.stderr(), "s3cret")
  })

  it("refuses arguments that it does not know, and explains itself", async () => {
    const unknown = npmStart(["--onec"])
    assert.deepStrictEqual(await unknown.ended, { code: 1, signal: null })
    assert.match(unknown.stderr(), /Unknown option '--onec'.*\n.*npm start -- --help/)
    const help = npmStart(["--help"])
    assert.deepStrictEqual(await help.ended, { code: 0, signal: null })
    for (const word of [
      "--once",
      "PORT",
      "OTEL_EXPORTER_OTLP_ENDPOINT",
      "DATABASE_URL",
      "REDIS_URL",
      "S3_BUCKET",
      "GORSE_URL",
      "FAULTS",
      "NO_COLOR"
    ]) {
      assert.include(help.stdout(), word)
    }
  })
})
