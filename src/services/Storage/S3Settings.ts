/**
 * Where S3 is, and who asks: options and environment, checked, as one value.
 *
 * @internal
 */
import type * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { boolean, notSet, secret, sentence, text } from "../environment.ts"
import type { StorageOptions } from "./Storage.ts"

/** A setting of the storage that is missing or not accepted. Never shows a secret. */
export class StorageConfigError extends Data.TaggedError("StorageConfigError")<{
  /** The variable or option. */
  readonly setting: string
  readonly message: string
}> {}

/** Keys of an account. */
export interface S3Credentials {
  /** Not a secret; it is part of every signed URL. */
  readonly accessKeyId: string
  readonly secretAccessKey: string | Redacted.Redacted
  /** Needed with keys that are valid for a while only. */
  readonly sessionToken?: string | Redacted.Redacted | undefined
}

/** Where S3 is, and how it is asked. */
export interface S3Options extends StorageOptions {
  /** The bucket where an operation names none. */
  readonly bucket: string
  /** The URL of a server that speaks S3's protocol. Default: Amazon's own, of the region. */
  readonly endpoint?: string | undefined
  /** The region. Needed for Amazon's own; where there is an endpoint the default is `us-east-1`. */
  readonly region?: string | undefined
  /** Default: what the AWS SDK finds (environment, profile, role of the machine). */
  readonly credentials?: S3Credentials | undefined
  /** Whether the bucket stands in the path of a URL, not in its host. Default: where there is an endpoint. */
  readonly forcePathStyle?: boolean | undefined
  /** How long a connection may take. Default 5 s. */
  readonly connectTimeout?: Duration.Input | undefined
  /** How a stream is uploaded: at most `concurrency` + 1 parts of `partSize` bytes are in memory. */
  readonly upload?:
    | {
        /** Bytes of a part, at least 5 MiB, which is the default. 10,000 parts make the largest object: 48 GiB by default. */
        readonly partSize?: number | undefined
        /** How many parts are on their way at once, 1 to 32. Default 4. */
        readonly concurrency?: number | undefined
      }
    | undefined
}

/** The settings, checked. */
export interface S3Settings {
  readonly bucket: string
  readonly endpoint: string | undefined
  readonly region: string
  readonly credentials:
    { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string } | undefined
  readonly forcePathStyle: boolean
  readonly connectTimeoutMillis: number
  readonly partSize: number
  readonly concurrency: number
}

/** The least that S3 takes as a part that is not the last. */
export const MIN_PART_SIZE = 5 * 1024 * 1024

/** How the settings are called: as options, or as variables of the environment. */
const optionNames = {
  bucket: "bucket",
  endpoint: "endpoint",
  region: "region",
  accessKeyId: "credentials.accessKeyId",
  secretAccessKey: "credentials.secretAccessKey",
  sessionToken: "credentials.sessionToken"
}
export type Names = typeof optionNames
export const variables: Names = {
  bucket: "S3_BUCKET",
  endpoint: "S3_ENDPOINT",
  region: "AWS_REGION",
  accessKeyId: "AWS_ACCESS_KEY_ID",
  secretAccessKey: "AWS_SECRET_ACCESS_KEY",
  sessionToken: "AWS_SESSION_TOKEN"
}

/** The options that are given, and from the environment the others. */
export const fromEnvironment = (
  options: Partial<S3Options>
): Effect.Effect<S3Options, StorageConfigError | Config.ConfigError> =>
  Effect.gen(function* () {
    const bucket = options.bucket ?? (yield* text(variables.bucket))
    if (bucket === undefined) return yield* refused(variables.bucket, notSet("the name of a bucket"))
    const pathStyle = "S3_FORCE_PATH_STYLE"
    const asked = options.forcePathStyle ?? (yield* text(pathStyle))
    const forcePathStyle = typeof asked === "string" ? boolean(asked) : asked
    if (typeof forcePathStyle === "string") return yield* refused(pathStyle, forcePathStyle)
    return {
      ...options,
      bucket,
      endpoint: options.endpoint ?? (yield* text(variables.endpoint)),
      region: options.region ?? (yield* text(variables.region)),
      credentials: options.credentials ?? (yield* environmentCredentials),
      forcePathStyle
    }
  })

const refused = (setting: string, problem: string): StorageConfigError =>
  new StorageConfigError({ setting, message: sentence(setting, problem) })

/** Neither key: the SDK looks elsewhere. One without the other is a mistake. */
const environmentCredentials = Effect.gen(function* () {
  const accessKeyId = yield* secret(variables.accessKeyId)
  const secretAccessKey = yield* secret(variables.secretAccessKey)
  const sessionToken = yield* secret(variables.sessionToken)
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    return { accessKeyId: Redacted.value(accessKeyId), secretAccessKey, sessionToken }
  }
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined
  const [setting, other] =
    accessKeyId === undefined
      ? [variables.accessKeyId, variables.secretAccessKey]
      : [variables.secretAccessKey, variables.accessKeyId]
  return yield* refused(setting, `is not set, but ${other} is; expected both or neither`)
})

/** Checks options. */
export const check = (options: S3Options, names: Names = optionNames): Effect.Effect<S3Settings, StorageConfigError> =>
  Effect.gen(function* () {
    const { bucket, endpoint } = options
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(bucket)) {
      return yield* refused(
        names.bucket,
        `${JSON.stringify(bucket)} is not the name of a bucket; expected letters, digits, "." and "-"`
      )
    }
    if (endpoint !== undefined) {
      const url = URL.parse(endpoint)
      const accepted = "expected http://host:port or https://host:port"
      // Nothing of the URL is shown: it may have a password in it.
      if (url === null) return yield* refused(names.endpoint, `not a URL; ${accepted}`)
      if (url.protocol !== "http:" && url.protocol !== "https:") {
        return yield* refused(names.endpoint, `the scheme ${url.protocol} is not accepted; ${accepted}`)
      }
      if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
        return yield* refused(names.endpoint, `credentials, a query or a fragment have no place in it; ${accepted}`)
      }
    }
    const region = options.region ?? (endpoint === undefined ? undefined : "us-east-1")
    if (region === undefined) {
      return yield* refused(names.region, `is not set; expected a region such as eu-central-1, or ${names.endpoint}`)
    }
    if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/.test(region)) {
      return yield* refused(
        names.region,
        `${JSON.stringify(region)} is not a region; expected one such as eu-central-1`
      )
    }
    const partSize = options.upload?.partSize ?? MIN_PART_SIZE
    const concurrency = options.upload?.concurrency ?? 4
    if (!Number.isInteger(partSize) || partSize < MIN_PART_SIZE || partSize > 5 * 1024 ** 3) {
      return yield* refused(
        "upload.partSize",
        `${partSize} is not accepted; expected bytes, from 5 MiB (${MIN_PART_SIZE}) to 5 GiB`
      )
    }
    if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 32) {
      return yield* refused("upload.concurrency", `${concurrency} is not accepted; expected an integer from 1 to 32`)
    }
    return {
      bucket,
      endpoint,
      region,
      credentials: yield* checkedCredentials(options.credentials, names),
      forcePathStyle: options.forcePathStyle ?? endpoint !== undefined,
      connectTimeoutMillis: Duration.toMillis(Duration.fromInputUnsafe(options.connectTimeout ?? "5 seconds")),
      partSize,
      concurrency
    }
  })

const checkedCredentials = (given: S3Credentials | undefined, names: Names) =>
  Effect.gen(function* () {
    if (given === undefined) return undefined
    const plain = (secret: string | Redacted.Redacted) => (typeof secret === "string" ? secret : Redacted.value(secret))
    const sessionToken = given.sessionToken === undefined ? undefined : plain(given.sessionToken)
    const credentials = {
      accessKeyId: given.accessKeyId,
      secretAccessKey: plain(given.secretAccessKey),
      ...(sessionToken === undefined ? undefined : { sessionToken })
    }
    for (const [part, value] of Object.entries(credentials)) {
      const setting = names[part as keyof typeof credentials]
      if (value === "") return yield* refused(setting, "is empty; expected the key")
      if (/[^\x21-\x7e]/.test(value)) {
        return yield* refused(setting, "has white space or characters beyond ASCII in it; expected the key alone")
      }
    }
    return credentials
  })
