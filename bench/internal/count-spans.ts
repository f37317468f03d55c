/** Counts the spans of a request body without decoding it. */
export const countSpans = (body: Buffer, contentType: string): number => {
  switch (contentType) {
    case "application/x-protobuf":
      return countProtobuf(body)
    case "application/json":
      return occurrences(body, '"spanId":')
    case "application/msgpack":
      // A key of seven characters: each span has it once.
      return occurrences(body, "\u00a7span_id")
    default:
      return 0
  }
}

const occurrences = (body: Buffer, text: string): number => {
  const needle = Buffer.from(text, "latin1")
  let count = 0
  for (let at = body.indexOf(needle); at >= 0; at = body.indexOf(needle, at + needle.length)) count++
  return count
}

/** `resource_spans` (1), in it `scope_spans` (2), in it `spans` (2): the rest is skipped. */
const countProtobuf = (body: Buffer): number => {
  let count = 0
  for (const resourceSpans of fields(body, 0, body.length, 1)) {
    for (const scopeSpans of fields(body, ...resourceSpans, 2)) {
      for (const _ of fields(body, ...scopeSpans, 2)) count++
    }
  }
  return count
}

/** Where the messages of one field are. All fields at these three levels are length-delimited. */
function* fields(body: Buffer, start: number, end: number, wanted: number): Generator<[start: number, end: number]> {
  let at = start
  const varint = (): number => {
    let value = 0
    for (let shift = 1; ; shift *= 128) {
      const byte = body[at++]!
      value += (byte & 127) * shift
      if (byte < 128) return value
    }
  }
  while (at < end) {
    const tag = varint()
    if ((tag & 7) !== 2) throw new Error(`an unexpected field in a request: ${tag}`)
    const length = varint()
    if (tag >> 3 === wanted) yield [at, at + length]
    at += length
  }
}
