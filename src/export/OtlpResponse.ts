/**
 * Reads what a collector answers: an `ExportTraceServiceResponse` behind a 200, a `google.rpc.Status` behind a refusal.
 * Servers and the proxies before them answer all kinds of things, so nothing here throws: what cannot be read says
 * nothing.
 *
 * **Example** (Why a request was refused)
 *
 * ```ts
 * import { readRefusal } from "effect-telemetry/export/OtlpResponse"
 *
 * const body = Buffer.from(JSON.stringify({ code: 3, message: "no such tenant" }))
 * if (readRefusal(body, "application/json") !== "no such tenant") throw new Error("unexpected")
 * ```
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
 */
import { oneLine } from "./Diagnostics.ts"
import type { ResponseMessage } from "./OtlpEncoder.ts"

/** Takes out of a text what must not be shown. */
export type Clean = (text: string) => string

const asItIs: Clean = (text) => text

/** What a 200 says: how many spans were rejected, and why (or a warning, where none was). */
export const readSuccess = (body: Uint8Array, contentType: string, clean: Clean = asItIs): ResponseMessage => {
  try {
    if (body.length > 0) {
      const partial = isJson(contentType)
        ? partialOfJson(JSON.parse(Buffer.from(body).toString("utf8")), clean)
        : partialOfProtobuf(body, clean)
      if (partial !== undefined) return partial
    }
  } catch {
    // Not what a collector answers. The status said success, and that counts.
  }
  return { rejectedSpans: 0, message: "" }
}

/** The message of a refusal; empty where there is none to read. */
export const readRefusal = (body: Uint8Array, contentType: string, clean: Clean = asItIs): string => {
  try {
    if (body.length === 0) return ""
    if (isJson(contentType)) {
      const message = (JSON.parse(Buffer.from(body).toString("utf8")) as { readonly message?: unknown }).message
      return typeof message === "string" ? oneLine(clean(message)) : ""
    }
    if (contentType.startsWith("application/x-protobuf")) {
      const message = fieldsOf(body).get(2)
      return message instanceof Uint8Array ? oneLine(clean(Buffer.from(message).toString("utf8"))) : ""
    }
    return contentType.startsWith("text/plain") ? oneLine(clean(Buffer.from(body).toString("utf8"))) : ""
  } catch {
    return ""
  }
}

const isJson = (contentType: string): boolean => contentType.startsWith("application/json")

const partialOfJson = (answer: unknown, clean: Clean): ResponseMessage | undefined => {
  const partial = (answer as { readonly partialSuccess?: Record<string, unknown> } | null)?.partialSuccess
  if (typeof partial !== "object" || partial === null) return undefined
  return {
    rejectedSpans: countOf(Number(partial["rejectedSpans"] ?? 0)),
    message: typeof partial["errorMessage"] === "string" ? oneLine(clean(partial["errorMessage"])) : ""
  }
}

const partialOfProtobuf = (body: Uint8Array, clean: Clean): ResponseMessage | undefined => {
  const partial = fieldsOf(body).get(1)
  if (!(partial instanceof Uint8Array)) return undefined
  const fields = fieldsOf(partial)
  const rejected = fields.get(1)
  const message = fields.get(2)
  return {
    rejectedSpans: typeof rejected === "number" ? countOf(rejected) : 0,
    message: message instanceof Uint8Array ? oneLine(clean(Buffer.from(message).toString("utf8"))) : ""
  }
}

const countOf = (value: number): number => (Number.isFinite(value) && value > 0 ? Math.trunc(value) : 0)

/** The fields of a protobuf message by number; the last one counts. Throws where the bytes are no message. */
const fieldsOf = (bytes: Uint8Array): Map<number, number | Uint8Array> => {
  const fields = new Map<number, number | Uint8Array>()
  let at = 0
  const varint = (): number => {
    let value = 0
    let factor = 1
    for (let i = 0; i < 10; i++) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error("truncated")
      value += (byte & 127) * factor
      if (byte < 128) return value
      factor *= 128
    }
    throw new Error("no varint")
  }
  while (at < bytes.length) {
    const tag = varint()
    const field = Math.trunc(tag / 8)
    switch (tag % 8) {
      case 0:
        fields.set(field, varint())
        break
      case 1:
        at += 8
        break
      case 2: {
        const length = varint()
        if (at + length > bytes.length) throw new Error("truncated")
        fields.set(field, bytes.subarray(at, at + length))
        at += length
        break
      }
      case 5:
        at += 4
        break
      default:
        throw new Error("unknown wire type")
    }
  }
  return fields
}
