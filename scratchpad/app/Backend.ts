/** The whole backend as one layer: its parts, its jobs, its HTTP server. */
import { Layer } from "effect"
import { Jobs } from "./Jobs.ts"
import * as Parts from "./Parts.ts"
import { listening, served } from "./Server.ts"

export interface BackendOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** What befalls the services, as `FAULTS` says it. */
  readonly faults: string
}

/** Listens first: a port that is taken is known before anything else is started. */
export const backend = (options: BackendOptions) =>
  served.pipe(
    Layer.provideMerge(Jobs.layer),
    Layer.provideMerge(Parts.layer(options.faults)),
    Layer.provideMerge(listening(options))
  )
