/**
 * The spool: whether it can be written to, how full it is, and what was put aside in it.
 *
 * @internal
 */
import { statfs } from "node:fs/promises"
import { messageOf } from "../../export/Diagnostics.ts"
import * as SpoolDirectory from "../../export/SpoolDirectory.ts"
import type { TelemetryConfig } from "../../TelemetryConfig.ts"
import { type Finding, ok, warning } from "../Finding.ts"
import { count, size } from "../output.ts"

/** What is in the directory, and what its disk has left. */
export interface Measured {
  readonly directory: string
  readonly maxBytes: number
  readonly freeBytes: number
  readonly contents: SpoolDirectory.SpoolContents
}

/** Says what that means. */
export const explain = ({ contents, directory, freeBytes, maxBytes }: Measured): ReadonlyArray<Finding> => {
  const found: Array<Finding> = []
  if (contents.bytes >= maxBytes * 0.9) {
    found.push(
      warning(
        "spool",
        `${directory} is full: ${size(contents.bytes)} of ${size(maxBytes)}; the oldest spans give way`,
        "see that the collector takes spans, then effect-telemetry spool send; or raise OTEL_SPOOL_MAX_BYTES"
      )
    )
  } else if (freeBytes < maxBytes - contents.bytes) {
    found.push(
      warning(
        "spool",
        `the disk of ${directory} has ${size(freeBytes)} left, less than the spool may take (${size(maxBytes)})`,
        "make room, or lower OTEL_SPOOL_MAX_BYTES"
      )
    )
  }
  const left = contents.owners.filter((owner) => !owner.isAlive).reduce((sum, owner) => sum + owner.spans, 0)
  if (left > 0) {
    found.push(
      warning(
        "spool",
        `${count(left, "span")} of processes that are gone wait in ${directory}`,
        "the next process that uses it sends them; effect-telemetry spool send does it now"
      )
    )
  }
  if (contents.refused.files > 0) {
    found.push(
      warning(
        "spool",
        `${count(contents.refused.spans, "span")} that the collector refused are put aside in ${directory}`,
        "effect-telemetry spool send --refused tries once more; spool clear --quarantine removes them"
      )
    )
  }
  if (contents.damaged.files > 0) {
    found.push(
      warning(
        "spool",
        `${count(contents.damaged.files, "damaged part")} put aside in ${directory}`,
        "effect-telemetry spool clear --quarantine removes what cannot be read"
      )
    )
  }
  return found.length > 0
    ? found
    : [ok("spool", `${directory} is writable, ${size(contents.bytes)} of ${size(maxBytes)} used`)]
}

export const spool = async (config: TelemetryConfig): Promise<ReadonlyArray<Finding>> => {
  const unusable = config.warnings.find((text) => text.includes("cannot hold spans"))
  if (unusable !== undefined) {
    return [warning("spool", unusable, "make it a directory that the application's user may write to")]
  }
  const directory = config.spoolDirectory
  if (directory === undefined) {
    return [
      ok(
        "spool",
        "none is configured: spans wait in memory, and are lost with the process (OTEL_SPOOL_DIRECTORY keeps them)"
      )
    ]
  }
  try {
    const { bavail, bsize } = await statfs(directory)
    const contents = await SpoolDirectory.list(directory)
    return explain({ directory, maxBytes: config.spoolMaxBytes, freeBytes: bavail * bsize, contents })
  } catch (error) {
    return [warning("spool", `${directory} cannot be read: ${messageOf(error)}`, "make it readable for this user")]
  }
}
