/** What collectors and the proxies before them answer. */
import assert from "node:assert/strict"
import { readRefusal, readSuccess } from "../../../src/export/OtlpResponse.ts"
import { retryAfterMillis } from "../../../src/export/OtlpSink.ts"
import { encodeResponse, encodeStatus } from "../../../test/support/OtlpDecode.ts"
import { type Choices } from "../Choices.ts"
import { target } from "../Target.ts"

const types = [
  "application/json",
  "application/x-protobuf",
  "text/plain",
  "text/html",
  "",
  "application/json; charset=utf-8"
]

const changed = (choices: Choices, body: Uint8Array): Uint8Array => {
  const bytes = Uint8Array.from(body)
  for (const at of choices.list(3, (choices) => choices.below(Math.max(1, bytes.length))))
    bytes[at] = choices.below(256)
  return choices.once(4) ? bytes.subarray(0, choices.below(bytes.length + 1)) : bytes
}

const bodyOf = (choices: Choices): Uint8Array =>
  choices.oneOf(
    (choices) => choices.bytes(60),
    (choices) => Buffer.from(choices.text(60)),
    (choices) => {
      const partial = { rejectedSpans: choices.below(1000), errorMessage: choices.text(400).toWellFormed() }
      return changed(choices, encodeResponse(partial, choices.pick(["protobuf", "json"])))
    },
    (choices) =>
      changed(
        choices,
        encodeStatus(choices.below(20), choices.text(400).toWellFormed(), choices.pick(["protobuf", "json"]))
      ),
    (choices) =>
      Buffer.from(
        JSON.stringify({
          partialSuccess: choices.pick<unknown>([
            null,
            5,
            "x",
            [],
            { rejectedSpans: "x" },
            { rejectedSpans: -1, errorMessage: {} }
          ]),
          message: choices.pick<unknown>([null, 5, {}, "a\u001b[31m\nb"])
        })
      )
  )

export const answers = target({
  name: "answers",
  claim: "no answer of a collector does harm, and what it says is one short line",
  make: (choices) => ({
    body: bodyOf(choices),
    type: choices.pick(types),
    after: choices.text(30, "0123456789.-+eT:Z GMThu,Jan")
  }),
  check: ({ after, body, type }) => {
    const { message, rejectedSpans } = readSuccess(body, type)
    for (const text of [message, readRefusal(body, type)]) {
      assert.ok(text.length <= 300)
      // oxlint-disable-next-line no-control-regex -- that is what is looked for
      assert.doesNotMatch(text, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
    }
    assert.ok(Number.isInteger(rejectedSpans) && rejectedSpans >= 0)
    const wait = retryAfterMillis(after, 0)
    assert.ok(wait === undefined || (wait >= 0 && wait <= 3_600_000))
  }
})
