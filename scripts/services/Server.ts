/**
 * What the script knows of a server: how it comes onto the machine, and how it starts.
 */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import type { Guard } from "./Guard.ts"
import type { CommandFailed, ServerFailed } from "./processes.ts"

/** The server cannot be had on this machine, and why: it is skipped. */
export class Unavailable extends Data.TaggedError("Unavailable")<{ readonly reason: string }> {
  override get message(): string {
    return this.reason
  }
}

export interface StartContext {
  /** An empty folder of its own; goes when the server has stopped. */
  readonly folder: string
  /** What the servers that it starts after have set. */
  readonly environment: Readonly<Record<string, string>>
}

export interface Running {
  /** `undefined` for a program that the tests run themselves. */
  readonly pid: number | undefined
  /** Where it is, without a password. */
  readonly url: string
  /** What the tests need to find it. */
  readonly environment: Readonly<Record<string, string>>
}

export interface Installed {
  /** The program and its version, as it says itself. */
  readonly description: string
  readonly start: (context: StartContext) => Effect.Effect<Running, CommandFailed | ServerFailed, Guard | Scope>
}

export interface Server {
  readonly name: string
  /** Installs that share a tool take turns; the lanes run side by side. */
  readonly lane: "go" | "other"
  /** Servers that it talks to, if they are there: they start first. */
  readonly after?: ReadonlyArray<string> | undefined
  /** Quick when it is installed already. */
  readonly install: Effect.Effect<Installed, Unavailable | CommandFailed, Guard>
}
