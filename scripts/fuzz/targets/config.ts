/** The environment: whatever is in it, there is a configuration or a typed error, and no secret is shown by either. */
import assert from "node:assert/strict"
import { inspect } from "node:util"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Settings from "../../../src/internal/config/settings.ts"
import * as Text from "../../../src/internal/config/text.ts"
import * as TelemetryConfig from "../../../src/TelemetryConfig.ts"
import { type Choices, digits, letters, printable } from "../Choices.ts"
import { target } from "../Target.ts"

const secret = "Zq9kV7xHidden"

/** Files are not touched: a fuzzer should not make directories. */
const variables = Settings.all
  .flatMap((setting) => setting.variables)
  .filter((name) => !/CERTIFICATE|CLIENT_KEY|SPOOL_DIRECTORY/.test(name))

const headersOf = (choices: Choices): string =>
  choices
    .list(4, (choices) =>
      choices.oneOf(
        () => `x-api-key=${secret}`,
        () => `authorization=Bearer%20${secret}`,
        () => `a=b`
      )
    )
    .concat(choices.once(4) ? [choices.mutated(`x-key=${secret}`, "=%, \n")] : [])
    .join(choices.pick([",", ", ", ",,"]))

const endpointOf = (choices: Choices): string => {
  const scheme = choices.pick(["http://", "https://", "", "ftp://", "HTTP://"])
  const user = choices.pick(["", `ada:${secret}@`, `${secret}@`])
  const rest = choices.pick(["", "/", "/v1/traces", `?token=${secret}`, `/a?api_key=${secret}&b=c`, "#f"])
  return `${scheme}${user}${choices.pick(["host", "localhost:4318", "[::1]:4318", "host:0", "host:99999", "h h"])}${rest}`
}

const valueOf = (choices: Choices, name: string): string => {
  if (choices.once(6)) return choices.text(30, `${printable}é\u0000\n`)
  if (name.endsWith("HEADERS")) return headersOf(choices)
  if (name.endsWith("ENDPOINT")) return endpointOf(choices)
  return choices.oneOf(
    (choices) => choices.pick(["true", "false", "1", "on", "maybe", "0.5", "2", "-1", "1e3", "512", "none", "otlp"]),
    (choices) => choices.pick(["500ms", "2s", "1m30s", "5", "256MB", "1GiB", "0B", "gzip", "http/json", "console"]),
    (choices) =>
      choices.pick(["tracecontext,baggage", "b3", "always_on", "traceidratio", "a=b,c=%C3%A9", "a", "a=%zz"]),
    (choices) => choices.text(12, digits + letters)
  )
}

const throughText = (text: string): void => {
  const pairs = Text.parsePairs(text)
  if (!Text.isBadEntry(pairs)) for (const { key } of pairs) assert.notEqual(key.trim(), "")
  const items = Text.parseList(text)
  assert.ok(Text.isBadEntry(items) || Array.isArray(items))
  const duration = Text.parseDuration(text)
  assert.ok(duration === undefined || Duration.toMillis(duration) >= 0)
  const size = Text.parseSize(text)
  assert.ok(size === undefined || (Number.isSafeInteger(size) && size >= 1))
  const ratio = Text.parseRatio(text)
  assert.ok(ratio === undefined || (ratio >= 0 && ratio <= 1))
  const integer = Text.parseInteger(text, 0, 100)
  assert.ok(integer === undefined || (integer >= 0 && integer <= 100))
}

export const config = target({
  name: "config",
  claim: "any environment is a configuration or an error that names what is wrong, and neither shows a secret",
  make: (choices) => ({
    environment: Object.fromEntries(
      choices.list(12, (choices) => {
        const name = choices.pick(variables)
        return [name, valueOf(choices, name)]
      })
    ),
    text: choices.text(30, `${digits}.,=%kMGiBsmhn eE+-é`)
  }),
  check: ({ environment, text }) => {
    throughText(text)
    const provider = ConfigProvider.fromEnv({ env: environment })
    const loaded = Effect.runSyncExit(
      TelemetryConfig.load().pipe(Effect.provideService(ConfigProvider.ConfigProvider, provider))
    )
    const shown = [inspect(loaded, { depth: null }), JSON.stringify(loaded)]
    if (Exit.isSuccess(loaded)) {
      shown.push(TelemetryConfig.describe(loaded.value), JSON.stringify(TelemetryConfig.effective(loaded.value)))
      assert.ok(loaded.value.maxExportBatchSize <= loaded.value.maxQueueSize)
      assert.doesNotMatch(TelemetryConfig.describe(loaded.value), /\n/)
    } else {
      const error = Cause.squash(loaded.cause)
      assert.ok(error instanceof TelemetryConfig.TelemetryConfigError, `it is ${inspect(error)}`)
      for (const { message, variable } of error.problems) {
        assert.ok(message.includes(variable))
        assert.ok(variables.includes(variable))
      }
      shown.push(error.message, String(error))
    }
    for (const left of shown) assert.ok(!left.includes(secret), `shown: ${left.slice(0, 2000)}`)
  }
})
