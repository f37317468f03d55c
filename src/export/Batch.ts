/**
 * A batch on its way, and what may come of sending it: the words that the stages behind the encoder share.
 *
 * @internal
 */

import type { SpanData } from "../tracer/SpanData.ts"

/** What came of sending a batch once. */
export type Outcome =
  /** Taken, but for `rejected` spans. A message without rejected spans is a warning. */
  | { readonly _tag: "Delivered"; readonly rejected: number; readonly message: string }
  /** Not now. */
  | {
      readonly _tag: "Retry"
      /** How long the server asks to wait. */
      readonly afterMillis: number | undefined
      readonly message: string
      /** Whether nobody was reached, so that no batch can be to blame. */
      readonly unreachable: boolean
      /** Whether its size may be the reason: somebody was reached, and did not answer. */
      readonly mayTakeParts?: boolean | undefined
    }
  /** Never. */
  | {
      readonly _tag: "Refused"
      readonly message: string
      /** Whether what it holds may be the reason, so that a part of it might be taken. */
      readonly mayTakeParts: boolean
    }
  /** Not this batch, says an exporter that has retries of its own. */
  | { readonly _tag: "Failed"; readonly message: string }
  /** Not in one piece. */
  | { readonly _tag: "TooLarge"; readonly message: string }

/** The encode stage, as the stages around it see it. */
export interface SpanBatcher {
  /** Spans in the batch that fills. */
  readonly count: number
  /** Bytes of memory that it takes. */
  readonly bytes: number
  /** Takes a span; false where it cannot be encoded. Never throws. */
  readonly add: (span: SpanData) => boolean
  /** All that came in this tick has been added. */
  readonly tick: () => void
  /** Hands on what there is, full or not. */
  readonly finish: () => void
}

/** Where batches go. */
export interface Sink<P> {
  /** Where to, for people: no credentials. */
  readonly target: string
  /** Never rejects. */
  readonly send: (payload: P, timeoutMillis: number) => Promise<Outcome>
  /** Cuts a payload of two spans or more in two: in the same way each time, also when it was read back meanwhile. */
  readonly split: (payload: P) => readonly [Part<P>, Part<P>]
  /** The name of a payload's first span. */
  readonly nameOf: (payload: P) => string
  /** Takes back the memory of a payload that was never sent, and that nobody reads any more. */
  readonly release?: ((payload: P) => void) | undefined
  /** Ends what is running. */
  readonly close: () => void
}

/** Spans ready to be sent. */
export interface Part<P> {
  readonly payload: P
  /** How many spans. */
  readonly count: number
  /** Bytes of memory. */
  readonly bytes: number
}

/** Where a batch lies, apart from memory. */
export interface Source<P> {
  /** What it is a part of: given up as a whole (`Delivery.forget`). */
  readonly origin: unknown
  /** Whether it can be read back, so that it need not be kept in memory. */
  readonly isLoadable: boolean
  /** Whether it outlives the process. */
  readonly isKept: boolean
  /** Reads it back; the promise never rejects, and gives `undefined` where it is gone. */
  readonly load: () => Promise<P | undefined>
  /** Puts aside what was refused for good. */
  readonly quarantine: (refused: Part<P>) => void
  /** Nothing of it needs to be kept any more. */
  readonly settled: () => void
}

/** A batch, with how it has fared. */
export class Batch<P> {
  /** Position in the order of sending. Parts of a batch share it. */
  readonly sequence: number
  readonly count: number
  readonly bytes: number
  /** `undefined` while it is only in its source. */
  payload: P | undefined
  readonly source: Source<P> | undefined
  attempts = 0
  firstTriedAt: number | undefined
  lastFailedAt = -1
  /** It failed while others passed. */
  isSuspect = false
  /** Not to be tried before this moment: where it is suspect. */
  notBefore = 0
  /** It has outlived its deadline, and waits among the others. */
  parked = false

  constructor(sequence: number, part: Part<P>, source?: Source<P> | undefined) {
    this.sequence = sequence
    this.count = part.count
    this.bytes = part.bytes
    this.payload = part.payload
    this.source = source
  }

  /** Leaves memory. */
  forgetPayload(sink: Pick<Sink<P>, "release">): void {
    // A socket may still read what was tried.
    if (this.payload !== undefined && this.firstTriedAt === undefined) sink.release?.(this.payload)
    this.payload = undefined
  }
}

/** Both halves of a batch of two spans or more, with how it has fared. Its source is settled when both are. */
export const halvesOf = <P>(whole: Batch<P>, sink: Sink<P>): ReadonlyArray<Batch<P>> => {
  const sources = whole.source === undefined ? undefined : sourcesOfHalves(whole.source, sink)
  return sink.split(whole.payload as P).map((part, i) => {
    const half = new Batch(whole.sequence, part, sources?.[i])
    half.firstTriedAt = whole.firstTriedAt
    half.attempts = whole.attempts
    half.notBefore = whole.notBefore
    half.lastFailedAt = whole.lastFailedAt
    half.isSuspect = whole.isSuspect
    return half
  })
}

/** Read back with the whole, and settled, for the whole, with the second of them. */
const sourcesOfHalves = <P>(whole: Source<P>, sink: Sink<P>): ReadonlyArray<Source<P>> => {
  let left = 2
  return [0, 1].map((half) => ({
    origin: whole.origin,
    get isLoadable() {
      return whole.isLoadable
    },
    get isKept() {
      return whole.isKept
    },
    load: async () => {
      const payload = await whole.load()
      return payload === undefined ? undefined : sink.split(payload)[half]!.payload
    },
    quarantine: (part) => whole.quarantine(part),
    settled: () => {
      if (--left === 0) whole.settled()
    }
  }))
}
