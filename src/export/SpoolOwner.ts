/**
 * Who a folder of the spool belongs to, and whether that process is still there. A spool directory may be shared, so a
 * process takes over only what nobody will send any more.
 *
 * A process on this machine is asked about by its id, and by the moment at which it started, since ids are used again.
 * Of a process on another machine, or in another container, only its heartbeat can be seen: it is taken for dead when
 * that has stood still for a minute of our own monotonic time, so that no clock that steps can kill it.
 *
 * @internal
 */
import { readFileSync, readlinkSync } from "node:fs"
import { hostname } from "node:os"
import * as path from "node:path"
import type { SpoolIo } from "./SpoolIo.ts"

/** The file in which an owner names itself; its time of change is the heartbeat. */
export const ownerFile = "owner.json"

/** How long a heartbeat has to stand still. */
export const silentMillis = 60_000

interface Owner {
  readonly pid: number
  /** The machine, its boot, and the space in which its process ids count. */
  readonly host: string
  /** When the process started, as the kernel counts; empty where that cannot be told. */
  readonly start: string
}

const attempt = (read: () => string): string => {
  try {
    return read()
  } catch {
    return ""
  }
}

const hostOf = (): string =>
  [
    hostname(),
    attempt(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()),
    attempt(() => readlinkSync("/proc/self/ns/pid"))
  ].join(" ")

/** The 22nd field of `/proc/<pid>/stat`; the second one may hold spaces and brackets. */
const startOf = (pid: number): string =>
  attempt(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""
  })

/** What this process says of itself. */
export const self = (): string =>
  JSON.stringify({ pid: process.pid, host: hostOf(), start: startOf(process.pid) } satisfies Owner)

const isRunning = (owner: Owner): boolean => {
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    // Not ours to signal, but there.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false
  }
  return owner.start === "" || startOf(owner.pid) === owner.start
}

/** What was seen of heartbeats so far: by folder. */
export type Seen = Map<string, { readonly heartbeat: number; readonly at: number }>

/** Whether the owner of a folder may still send what is in it. */
export const isAlive = async (io: SpoolIo, folder: string, seen: Seen, now: number): Promise<boolean> => {
  const file = path.join(folder, ownerFile)
  let owner: Owner
  let heartbeat: number
  try {
    heartbeat = (await io.stat(file)).mtimeMs
    owner = JSON.parse((await io.readFile(file)).toString("utf8")) as Owner
  } catch (error) {
    // Released by its owner, which writes this file before anything else and removes it last.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false
    owner = { pid: -1, host: "", start: "" }
    heartbeat = 0
  }
  if (owner.host === hostOf()) {
    if (!isRunning(owner)) return false
    if (owner.start !== "") return true
  }
  const before = seen.get(folder)
  if (before === undefined || before.heartbeat !== heartbeat) {
    seen.set(folder, { heartbeat, at: now })
    return true
  }
  return now - before.at < silentMillis
}
