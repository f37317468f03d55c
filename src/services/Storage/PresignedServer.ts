/**
 * Serves the presigned URLs of the embedded layer: a small server on a free port of loopback, which begins with the first URL.
 *
 * A URL is signed (HMAC-SHA-256) with a secret of the layer; the signature covers method, bucket, key, expiry and media type. What
 * is refused is refused as S3 refuses it: status and XML. Browsers of every origin may use it, as with a bucket that allows them to.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { pipeline } from "node:stream/promises"
import { isReason } from "../../operation/Reason.ts"
import type { ObjectStore } from "./ObjectStore.ts"
import { DEFAULT_CONTENT_TYPE } from "./StorageInput.ts"

/** What a URL allows. */
export interface Grant {
  readonly method: "GET" | "PUT"
  readonly bucket: string
  readonly key: string
  /** Until when, in seconds since the epoch. */
  readonly expires: number
  /** The media type that a `PUT` has to have; empty for any. */
  readonly contentType: string
}

/** Makes URLs; the server that answers them lives as long as the scope. */
export const make = (
  store: ObjectStore,
  nowMillis: () => number
): Effect.Effect<(grant: Grant) => Effect.Effect<string>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const secret = randomBytes(32)
    const scope = yield* Effect.scope
    const origin = yield* Effect.cached(
      Effect.uninterruptible(Effect.map(Scope.provide(listen(store, secret, nowMillis), scope), originOf))
    )
    return (grant) => Effect.map(origin, (origin) => urlOf(origin, grant, signatureOf(secret, grant)))
  })

const listen = (store: ObjectStore, secret: Buffer, nowMillis: () => number) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<Server>((resolve, reject) => {
          const server = createServer((request, response) => {
            answer(store, secret, nowMillis, request, response).catch(() => response.destroy())
          })
          server.once("error", reject)
          server.listen(0, "127.0.0.1", () => resolve(server))
          // A URL that nobody uses must not keep the application alive.
          server.unref()
        })
    ),
    (server) =>
      Effect.promise(
        () =>
          new Promise<void>((resolve) => {
            server.close(() => resolve())
            server.closeAllConnections()
          })
      )
  )

const originOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const signatureOf = (secret: Buffer, grant: Grant): string =>
  createHmac("sha256", secret)
    .update(JSON.stringify([grant.method, grant.bucket, grant.key, grant.expires, grant.contentType]))
    .digest("hex")

const urlOf = (origin: string, { bucket, contentType, expires, key, method }: Grant, signature: string): string => {
  const path = key.split("/").map(encodeURIComponent).join("/")
  const query = new URLSearchParams({ "X-Amz-Method": method, "X-Amz-Expires": String(expires) })
  if (contentType !== "") query.set("content-type", contentType)
  query.set("X-Amz-Signature", signature)
  return `${origin}/${bucket}/${path}?${query}`
}

/** What a URL claims, whether or not it is true. */
const claimOf = (request: IncomingMessage): { readonly grant: Grant; readonly signature: string } | undefined => {
  const url = URL.parse(request.url ?? "", "http://127.0.0.1")
  const match = /^\/([^/]+)\/(.+)$/.exec(url?.pathname ?? "")
  const method = url?.searchParams.get("X-Amz-Method")
  if (url === null || match === null || (method !== "GET" && method !== "PUT")) return undefined
  try {
    const expires = Number(url.searchParams.get("X-Amz-Expires"))
    const contentType = url.searchParams.get("content-type") ?? ""
    const grant = { method, bucket: match[1]!, key: decodeURIComponent(match[2]!), expires, contentType } as const
    return { grant, signature: url.searchParams.get("X-Amz-Signature") ?? "" }
  } catch {
    return undefined
  }
}

const isSame = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

const answer = async (
  store: ObjectStore,
  secret: Buffer,
  nowMillis: () => number,
  request: IncomingMessage,
  response: ServerResponse
): Promise<void> => {
  response.setHeader("access-control-allow-origin", "*")
  response.setHeader("access-control-expose-headers", "*")
  if (request.method === "OPTIONS") {
    response.writeHead(204, { "access-control-allow-methods": "GET, PUT", "access-control-allow-headers": "*" }).end()
    return
  }
  const claim = claimOf(request)
  if (claim === undefined || Buffer.byteLength(claim.signature) !== claim.signature.length) {
    return refuse(response, 403, "AccessDenied", "The URL has no signature")
  }
  const { grant, signature } = claim
  if (!isSame(signature, signatureOf(secret, grant)) || request.method !== grant.method) {
    return refuse(response, 403, "SignatureDoesNotMatch", "The signature is not that of this request")
  }
  if (nowMillis() >= grant.expires * 1000) return refuse(response, 403, "AccessDenied", "Request has expired")
  if (grant.method === "GET") return download(store, grant, request, response)
  if (grant.contentType !== "" && request.headers["content-type"] !== grant.contentType) {
    return refuse(response, 403, "SignatureDoesNotMatch", "The media type is not the one that was signed")
  }
  return upload(store, grant, nowMillis, request, response)
}

const download = async (
  store: ObjectStore,
  { bucket, key }: Grant,
  request: IncomingMessage,
  response: ServerResponse
): Promise<void> => {
  const opened = await store.open(bucket, key)
  if (opened === undefined) return refuse(response, 404, "NoSuchKey", "The specified key does not exist")
  const { record } = opened
  const range = rangeOf(request.headers.range, record.size)
  if (range === "unsatisfiable") {
    await opened.close()
    response.setHeader("content-range", `bytes */${record.size}`)
    return refuse(response, 416, "InvalidRange", "The requested range is not satisfiable")
  }
  const { end, start } = range ?? { start: 0, end: record.size - 1 }
  response.writeHead(range === undefined ? 200 : 206, {
    "content-type": record.contentType,
    "content-length": end - start + 1,
    "accept-ranges": "bytes",
    etag: `"${record.etag}"`,
    "last-modified": new Date(record.lastModified).toUTCString(),
    ...(range === undefined ? undefined : { "content-range": `bytes ${start}-${end}/${record.size}` }),
    ...Object.fromEntries(Object.entries(record.metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]))
  })
  if (record.size === 0) {
    await opened.close()
    response.end()
    return
  }
  await pipeline(opened.read(start, end), response)
}

/** A single range of bytes, as browsers ask for to seek in audio. Others are ignored, as RFC 9110 allows. */
const rangeOf = (
  header: string | undefined,
  size: number
): { readonly start: number; readonly end: number } | "unsatisfiable" | undefined => {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "")
  if (match === null || (match[1] === "" && match[2] === "")) return undefined
  const [start, end] =
    match[1] === ""
      ? [Math.max(0, size - Number(match[2])), size - 1]
      : [Number(match[1]), match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1)]
  return start > end ? "unsatisfiable" : { start, end }
}

const upload = async (
  store: ObjectStore,
  { bucket, key }: Grant,
  nowMillis: () => number,
  request: IncomingMessage,
  response: ServerResponse
): Promise<void> => {
  const draft = await store.begin()
  try {
    for await (const chunk of request) await draft.write(chunk as Uint8Array)
    const metadata = Object.entries(request.headers).flatMap(([name, value]) =>
      name.startsWith("x-amz-meta-") && typeof value === "string" ? [[name.slice(11), value] as const] : []
    )
    const record = await draft.commit({
      bucket,
      key,
      contentType: request.headers["content-type"] ?? DEFAULT_CONTENT_TYPE,
      metadata: Object.fromEntries(metadata),
      nowMillis: nowMillis()
    })
    response.writeHead(200, { etag: `"${record.etag}"`, "content-length": 0 }).end()
  } catch (error) {
    if (!isReason(error)) throw error
    refuse(response, error.status ?? 500, String(error.code ?? "InternalError"), error.message)
  } finally {
    await draft.discard()
  }
}

const refuse = (response: ServerResponse, status: number, code: string, message: string): void => {
  const text = message.replace(/[<>&]/g, (sign) => `&#${sign.charCodeAt(0)};`)
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${text}</Message></Error>`
  response.writeHead(status, { "content-type": "application/xml", "content-length": Buffer.byteLength(body) }).end(body)
}
