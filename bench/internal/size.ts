/** What a program with one span weighs when it is bundled: everything that it imports in one file, minified. */
import { gzipSync } from "node:zlib"
import { join } from "node:path"
import { rolldown } from "rolldown"

export interface Size {
  /** Bytes, minified. */
  readonly minified: number
  /** Bytes of that, compressed. */
  readonly gzip: number
}

const programs = {
  ours: (library: string): string => `
    import * as Effect from "effect/Effect"
    import { Telemetry, TelemetryLive } from ${JSON.stringify(join(library, "index.js"))}
    Effect.runPromise(Effect.void.pipe(Telemetry.withSpan("work"), Effect.provide(TelemetryLive)))
  `,
  stock: (): string => `
    import * as Effect from "effect/Effect"
    import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
    import { BatchSpanProcessor } from "@opentelemetry/sdk-trace-base"
    import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
    const layer = NodeSdk.layer(() => ({
      resource: { serviceName: "bench" },
      spanProcessor: new BatchSpanProcessor(new OTLPTraceExporter())
    }))
    Effect.runPromise(Effect.void.pipe(Effect.withSpan("work"), Effect.provide(layer)))
  `,
  untraced: (): string => `
    import * as Effect from "effect/Effect"
    import * as Layer from "effect/Layer"
    Effect.runPromise(Effect.void.pipe(Effect.provide(Layer.empty)))
  `
}

/** Bundles one of the programs against the library that was built into a directory. */
export const size = async (program: keyof typeof programs, library: string): Promise<Size> => {
  const entry = join(library, `bench-${program}.js`)
  const bundle = await rolldown({
    input: entry,
    platform: "node",
    plugins: [
      {
        name: "program",
        resolveId: (id) => (id === entry ? id : null),
        load: (id) => (id === entry ? programs[program](library) : null)
      }
    ]
  })
  const { output } = await bundle.generate({ format: "esm", minify: true })
  await bundle.close()
  const code = output.map((part) => (part.type === "chunk" ? part.code : "")).join("")
  return { minified: Buffer.byteLength(code), gzip: gzipSync(code).length }
}
