/**
 * What every layer of the storage accepts: checked here, so that a wrong request is refused the same way by all of them and
 * before it is sent.
 *
 * @internal
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { InvalidRequest } from "../../operation/Reason.ts"
import type { CreatePresignedUrl, GetObject, ListObjects, ObjectKey, PutObject } from "./Storage.ts"

/** The most bytes of a key. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html */
export const MAX_KEY_BYTES = 1024

/** The most bytes of all metadata. https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html */
export const MAX_METADATA_BYTES = 2048

/** The media type of what is stored without one. */
export const DEFAULT_CONTENT_TYPE = "application/octet-stream"

/** The longest that a presigned URL may be valid: 7 days, as Signature Version 4 has it. */
const maxExpirySeconds = 7 * 24 * 60 * 60

type Checked = InvalidRequest | undefined

const refuse = (message: string, code?: string): InvalidRequest => new InvalidRequest({ message, code })

const shown = (text: string): string => {
  const json = JSON.stringify(text.length > 80 ? text.slice(0, 80).toWellFormed() : text)
  return text.length > 80 ? `${json} …` : json
}

/** Control characters: they have no place in XML, in which listings come, nor in headers. */
const control = /\p{Cc}/u

const wrongKey = (key: string): Checked => {
  if (key === "") return refuse("a key must not be empty")
  const bytes = Buffer.byteLength(key)
  if (bytes > MAX_KEY_BYTES) {
    return refuse(`the key has ${bytes} bytes; expected at most ${MAX_KEY_BYTES}`, "KeyTooLongError")
  }
  if (control.test(key) || !key.isWellFormed()) {
    return refuse(`the key ${shown(key)} has control characters or broken ones; expected printable text`)
  }
  const dots = key.split("/").find((segment) => segment === "." || segment === "..")
  if (dots !== undefined) {
    return refuse(`the key ${shown(key)} has a segment "${dots}", of which clients and servers make another path`)
  }
  return undefined
}

const wrongBucket = (bucket: string | undefined): Checked =>
  bucket === undefined || /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)
    ? undefined
    : refuse(
        `the bucket ${shown(bucket)} is not accepted; expected 3 to 63 of a-z, 0-9, "." and "-"`,
        "InvalidBucketName"
      )

const wrongMetadata = (metadata: Readonly<Record<string, string>> | undefined): Checked => {
  let bytes = 0
  for (const [name, value] of Object.entries(metadata ?? {})) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
      return refuse(`the name ${shown(name)} of a metadata is not accepted; expected letters, digits and - _ .`)
    }
    // Not the value: it is the application's own.
    if (!/^[\x20-\x7e]*$/.test(value) || value.trim() !== value) {
      return refuse(
        `the value of the metadata ${shown(name)} is not accepted; expected printable ASCII, no spaces around it`
      )
    }
    bytes += name.length + value.length
  }
  return bytes > MAX_METADATA_BYTES
    ? refuse(`the metadata have ${bytes} bytes; expected at most ${MAX_METADATA_BYTES}`, "MetadataTooLarge")
    : undefined
}

const wrongContentType = (type: string | undefined): Checked =>
  type === undefined || /^[\x21-\x7e]+(?:[\x20-\x7e]*[\x21-\x7e])?$/.test(type)
    ? undefined
    : refuse(`the media type ${shown(type)} is not accepted; expected printable ASCII`)

const outcome = (wrong: Checked): Effect.Effect<void, InvalidRequest> =>
  wrong === undefined ? Effect.void : Effect.fail(wrong)

/** Checks a bucket and a key. */
export const key = (input: ObjectKey): Effect.Effect<void, InvalidRequest> =>
  outcome(wrongBucket(input.bucket) ?? wrongKey(input.key))

/** Checks what is stored with an object. */
export const put = (
  input: ObjectKey & Pick<PutObject, "contentType" | "metadata">
): Effect.Effect<void, InvalidRequest> =>
  outcome(
    wrongBucket(input.bucket) ??
      wrongKey(input.key) ??
      wrongContentType(input.contentType) ??
      wrongMetadata(input.metadata)
  )

/** Checks what is read. */
export const get = ({ range, ...input }: GetObject): Effect.Effect<void, InvalidRequest> => {
  if (range !== undefined) {
    const { end, start } = range
    if (
      !Number.isSafeInteger(start) ||
      start < 0 ||
      (end !== undefined && (!Number.isSafeInteger(end) || end < start))
    ) {
      return Effect.fail(
        refuse(
          `the range ${start} to ${end ?? "the end"} is not accepted; expected integers, 0 <= start <= end`,
          "InvalidRange"
        )
      )
    }
  }
  return key(input)
}

/** Checks a listing. */
export const list = (input: ListObjects): Effect.Effect<void, InvalidRequest> => {
  const { pageSize, prefix } = input
  if (pageSize !== undefined && (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > 1000)) {
    return Effect.fail(refuse(`the page size ${pageSize} is not accepted; expected an integer from 1 to 1000`))
  }
  if (prefix !== undefined && control.test(prefix)) {
    return Effect.fail(refuse(`the prefix ${shown(prefix)} has control characters`))
  }
  return outcome(wrongBucket(input.bucket))
}

/** Checks a presigned URL; how many seconds it is to be valid. */
export const presign = (input: CreatePresignedUrl): Effect.Effect<number, InvalidRequest> => {
  const duration = Duration.fromInput(input.expiresIn ?? "15 minutes")
  const seconds = duration._tag === "Some" ? Math.floor(Duration.toSeconds(duration.value)) : NaN
  if (!(seconds >= 1 && seconds <= maxExpirySeconds)) {
    return Effect.fail(refuse(`expiresIn is ${String(input.expiresIn)}; expected 1 second to 7 days`))
  }
  return Effect.as(put(input), seconds)
}

/** Metadata as they are kept: names in lower case. */
export const metadataOf = (metadata: Readonly<Record<string, string>> | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name.toLowerCase(), value]))

/** An entity tag without its quotes. */
export const etagOf = (etag: string): string => etag.replace(/^"(.*)"$/, "$1")

/** The order of listings: that of UTF-8 bytes, which is not that of JavaScript's strings. */
export const byUtf8 = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
