/** Any span, as the stages behind the tracer see it. */
import type { AttributeValue, EventData, LinkData, SpanData } from "../../../src/tracer/SpanData.ts"
import { type Choices, hex } from "../Choices.ts"

export const idOf = (choices: Choices, length: number): string => {
  const digits = choices.list(3, (choices) => choices.pick([...hex])).join("")
  return digits.padStart(length, "0").slice(-length)
}

const long = ["é", "x", "日", "🎧"]

export const textOf = (choices: Choices): string =>
  choices.once(12) ? choices.pick(long).repeat(choices.pick([47, 48, 63, 64, 127, 128, 5000])) : choices.text(20)

const numberOf = (choices: Choices): number =>
  choices.oneOf(
    (choices) => choices.below(300),
    (choices) => -choices.below(300),
    (choices) => choices.pick([0.5, -0, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 63), 2 ** 63, 1e300, 5e-324, 16_383, 16_384]),
    (choices) => choices.below(0xffffffff) * choices.below(0xfffff)
  )

export const valueOf = (choices: Choices): AttributeValue =>
  choices.oneOf<AttributeValue>(
    textOf,
    numberOf,
    (choices) => choices.once(2),
    (choices) => choices.list(6, (choices) => choices.oneOf(textOf, () => null)),
    (choices) => choices.list(6, (choices) => choices.oneOf(numberOf, () => null)),
    (choices) => choices.list(6, (choices) => choices.once(2))
  )

const keyOf = (choices: Choices): string =>
  choices.oneOf(
    (choices) => choices.pick(["http.request.method", "user.id", "a", "__proto__", "0", "url.full", "error.type"]),
    textOf
  )

const attributesOf = (choices: Choices) => {
  const unique = new Map(choices.list(8, (choices) => [keyOf(choices), valueOf(choices)] as const))
  return { attributeKeys: [...unique.keys()], attributeValues: [...unique.values()] }
}

const seconds = (choices: Choices): number => choices.pick([0, 1, 1_700_000_000, 4_294_967_296, 1_700_000_001])
const nanos = (choices: Choices): number => choices.pick([0, 1, 999_999_999, 500_000_000])
const dropped = (choices: Choices): number => choices.pick([0, 0, 1, 127, 128, 70_000, 2 ** 32 - 1])
const stateOf = (choices: Choices): string | undefined => choices.pick([undefined, "a=1", "a=1,b=2"])

const eventOf = (choices: Choices): EventData => ({
  name: choices.once(3) ? "exception" : textOf(choices),
  seconds: seconds(choices),
  nanos: nanos(choices),
  ...attributesOf(choices),
  droppedAttributesCount: dropped(choices)
})

const linkOf = (choices: Choices): LinkData => ({
  traceId: idOf(choices, 32),
  spanId: idOf(choices, 16),
  traceFlags: choices.below(4),
  traceState: stateOf(choices),
  isRemote: choices.once(2),
  ...attributesOf(choices),
  droppedAttributesCount: dropped(choices)
})

/** A span; ids are few, so that spans are parents of one another, and of themselves. */
export const spanOf = (choices: Choices): SpanData => {
  const parentSpanId = choices.once(2) ? idOf(choices, 16) : undefined
  return {
    name: textOf(choices),
    traceId: idOf(choices, 32),
    spanId: idOf(choices, 16),
    parentSpanId,
    parentIsRemote: parentSpanId !== undefined && choices.once(4),
    traceFlags: choices.below(4),
    traceState: stateOf(choices),
    kindCode: choices.below(5) as SpanData["kindCode"],
    startSeconds: seconds(choices),
    startNanos: nanos(choices),
    endSeconds: seconds(choices),
    endNanos: nanos(choices),
    statusCode: choices.below(3) as SpanData["statusCode"],
    statusMessage: choices.once(3) ? textOf(choices) : undefined,
    ...attributesOf(choices),
    events: choices.list(4, eventOf),
    linkData: choices.list(3, linkOf),
    droppedAttributesCount: dropped(choices),
    droppedEventsCount: dropped(choices),
    droppedLinksCount: dropped(choices)
  }
}
