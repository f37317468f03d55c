/**
 * The request that every peer serves: one server span and five client spans, four attributes each, every span around an
 * asynchronous call, effects and options made anew for every request.
 */
import { setTimeout } from "node:timers/promises"

export const spansPerRequest = 6

export const route = "/api/v1/feed"
export const serverName = `GET ${route}`
export const operations = ["db.select", "db.insert", "cache.get", "gorse.get_recommend", "es.search"] as const

/** What a client of a service stands for: an answer that comes later. */
export const client = async (request: number): Promise<number> => request & 63

export const serverAttributes = () => ({
  "http.request.method": "GET",
  "http.route": route,
  "url.path": route,
  "http.response.status_code": 200
})

export const clientAttributes = (operation: string, request: number) => ({
  "external.service": "postgresql",
  "external.operation": operation,
  "db.collection.name": "posts",
  "db.response.returned_rows": request & 63
})

/** A peer, ready: serves requests and sends what ended. */
export interface Peer {
  readonly request: (request: number) => Promise<number>
  /** Waits until everything that ended has been sent and answered. */
  readonly flush: () => Promise<void>
}

/** Requests that are served at the same time, between two turns of the event loop. */
const atATime = 8

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Requests whose spans fill a batch of 512. */
const batch = 88

/**
 * Serves requests the way a server does: a few at a time, and the event loop turns in between. A pause is the milliseconds
 * that nothing is asked of it after each batch of spans, so that no peer makes more than it can send: a queue that grows
 * costs memory that has nothing to do with the cost of a span.
 */
export const serve = async (peer: Peer, requests: number, pause = 0): Promise<void> => {
  for (let i = 0; i < requests; i += atATime) {
    const running: Array<Promise<number>> = []
    for (let n = i; n < i + atATime && n < requests; n++) running.push(peer.request(n))
    await Promise.all(running)
    await (pause > 0 && i % batch === 0 ? setTimeout(pause) : turn())
  }
}
