/**
 * Drives any OpenTelemetry `SpanExporter` of the user's own: it is given batches, one at a time, and may do with them
 * what it likes, but not harm the application. One that throws, fails, or never calls back costs its batch, counted as
 * `failed`; the next batch starts clean. What it does is not traced.
 *
 * @see https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-exporter
 * @internal
 */
import { context } from "@opentelemetry/api"
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base"
import type { SpanData } from "../tracer/SpanData.ts"
import type { Part, Sink, SpanBatcher } from "./Batch.ts"
import { messageOf } from "./Diagnostics.ts"
import { suppressed } from "./HttpTransport.ts"
import { sizeOf } from "./SpanSize.ts"
import type { Timing } from "./Timing.ts"

type Spans = ReadonlyArray<ReadableSpan>

/** Makes the sink of an exporter. */
export const make = (exporter: SpanExporter, timing: Timing): Sink<Spans> => ({
  target: `the exporter ${exporter.constructor?.name ?? ""}`.trim(),
  send: (spans, timeoutMillis) =>
    new Promise((resolve) => {
      const cancel = timing.after(timeoutMillis, () =>
        resolve({ _tag: "Failed", message: `no result within ${timeoutMillis} ms` })
      )
      const failed = (error: unknown): void => {
        cancel()
        resolve({ _tag: "Failed", message: messageOf(error) })
      }
      try {
        const returned: unknown = context.with(suppressed, () =>
          exporter.export([...spans], (result) => {
            if (result.code !== 0) return failed(result.error ?? "it gave no reason")
            cancel()
            resolve({ _tag: "Delivered", rejected: 0, message: "" })
          })
        )
        // One written as an async function may reject.
        if (returned instanceof Promise) returned.catch(failed)
      } catch (error) {
        failed(error)
      }
    }),
  split: (spans) => {
    const half = spans.length >> 1
    return [partOf(spans.slice(0, half), 0), partOf(spans.slice(half), 0)]
  },
  nameOf: (spans) => spans[0]?.name ?? "",
  close: () => {}
})

/** Runs one of an exporter's methods that return a promise; resolves to whether it did within the time. */
export const settle = (run: () => Promise<void> | undefined, timeoutMillis: number, timing: Timing): Promise<boolean> =>
  new Promise((resolve) => {
    const cancel = timing.after(timeoutMillis, () => resolve(false), true)
    const end = (success: boolean) => (): void => {
      cancel()
      resolve(success)
    }
    try {
      const running = context.with(suppressed, run)
      if (running === undefined) return end(true)()
      running.then(end(true), end(false))
    } catch {
      end(false)()
    }
  })

const partOf = (spans: Spans, bytes: number): Part<Spans> => ({ payload: spans, count: spans.length, bytes })

/** The encode stage where there is nothing to encode: spans are collected as OpenTelemetry's own objects. */
export class ReadableBatcher implements SpanBatcher {
  bytes = 0
  private spans: Array<ReadableSpan> = []
  private readonly toReadable: (span: SpanData) => ReadableSpan
  private readonly maxSpans: number
  private readonly full: (part: Part<Spans>) => void

  constructor(toReadable: (span: SpanData) => ReadableSpan, maxSpans: number, full: (part: Part<Spans>) => void) {
    this.toReadable = toReadable
    this.maxSpans = maxSpans
    this.full = full
  }

  get count(): number {
    return this.spans.length
  }

  add(span: SpanData): boolean {
    try {
      this.spans.push(this.toReadable(span))
    } catch {
      return false
    }
    this.bytes += sizeOf(span)
    if (this.spans.length >= this.maxSpans) this.finish()
    return true
  }

  tick(): void {}

  finish(): void {
    if (this.spans.length === 0) return
    const part = partOf(this.spans, this.bytes)
    this.spans = []
    this.bytes = 0
    this.full(part)
  }
}
