/**
 * Loads a server: a number of connections, each with one request at a time, for a while. Written on bare sockets, so that it
 * takes as little as possible of a machine with few cores.
 *
 *     load.ts PORT PATH CONNECTIONS WARMUP_MS MEASURED_MS
 *
 * Tells `"warm"` when it begins to measure, then what it measured.
 */
import { connect } from "node:net"

export interface Loaded {
  readonly requests: number
  readonly requestsPerSecond: number
  /** Milliseconds that 50% and 99% of the requests took at most. */
  readonly p50: number
  readonly p99: number
}

const [port, path, connections, warmup, measured] = process.argv.slice(2) as [string, string, string, string, string]
const request = Buffer.from(`GET ${path} HTTP/1.1\r\nhost: localhost:${port}\r\nuser-agent: bench\r\n\r\n`)

let measuring = false
let done = false
let latencies = new Float64Array(1 << 16)
let count = 0

const note = (milliseconds: number): void => {
  if (count === latencies.length) {
    const more = new Float64Array(count * 2)
    more.set(latencies)
    latencies = more
  }
  latencies[count++] = milliseconds
}

/** A response is short enough to come in one piece; where it does not, its head says how much is to come. */
const lengthOf = (head: string): number => {
  const end = head.indexOf("\r\n\r\n")
  const length = /content-length: (\d+)/i.exec(head)
  return end < 0 || length === null ? Infinity : end + 4 + Number(length[1])
}

const open = (): void => {
  const socket = connect(Number(port), "127.0.0.1")
  socket.setNoDelay(true)
  let sent = 0
  let received = 0
  let expected = 0
  const send = (): void => {
    sent = performance.now()
    received = 0
    socket.write(request)
  }
  socket.on("connect", send)
  socket.on("data", (data: Buffer) => {
    if (received === 0) {
      // All responses are alike: the first one says how long they are.
      if (expected === 0) expected = lengthOf(data.toString("latin1"))
      if (data[9] !== 50) throw new Error(`the server answered ${data.toString("latin1", 0, 60)}`)
    }
    received += data.length
    if (received < expected) return
    if (measuring) note(performance.now() - sent)
    if (!done) send()
  })
  socket.on("error", (error) => {
    if (!done) throw error
  })
}

for (let i = 0; i < Number(connections); i++) open()

setTimeout(() => {
  measuring = true
  const start = performance.now()
  process.send!("warm")
  setTimeout(() => {
    const seconds = (performance.now() - start) / 1_000
    measuring = false
    done = true
    const sorted = latencies.subarray(0, count).sort()
    const loaded: Loaded = {
      requests: count,
      requestsPerSecond: count / seconds,
      p50: sorted[Math.floor(count * 0.5)] ?? 0,
      p99: sorted[Math.floor(count * 0.99)] ?? 0
    }
    process.send!(loaded)
  }, Number(measured))
}, Number(warmup))
process.on("disconnect", () => process.exit())
