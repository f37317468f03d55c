/**
 * The commands, put together.
 *
 * @internal
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import type * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import { TerminalCapabilities } from "effect/cli/TerminalCapabilities"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { version } from "../internal/version.ts"
import { config } from "./config.ts"
import { doctor } from "./doctor.ts"

import * as Output from "./output.ts"
import { send } from "./send.ts"
import { spool } from "./spool.ts"

const root = Command.make("effect-telemetry").pipe(
  Command.withDescription("Says whether traces arrive, and why not."),
  Command.withSubcommands([doctor, config, send, spool])
)

/** A mistake is answered with the mistake, on standard error, and where help is; not with a page of help. */
const presenter = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Effect.gen(function* () {
          const { canColor } = yield* TerminalCapabilities
          const formatter = CliOutput.defaultFormatter({ colors: canColor })
          yield* Console.error(formatter.formatErrors(event.errors).trim())
          yield* Console.error(`\nSee: ${event.commandPath.join(" ")} --help`)
        })
      : CliOutput.defaultPresenter.present(event)
})

const isUsage = (error: unknown): error is CliError.ShowHelp =>
  (error as { readonly _tag?: unknown } | null)?._tag === "ShowHelp"

const program = Command.run(root, { version }).pipe(
  Effect.catch((error) => {
    if (isUsage(error)) return Output.exitWith(error.errors.length > 0 ? Output.usageExitCode : 0)
    const message = error instanceof Error ? error.message : String(error)
    return Effect.andThen(
      Console.error(`effect-telemetry: ${message}`),
      Output.exitWith(error instanceof Output.UsageError ? Output.usageExitCode : 1)
    )
  }),
  Effect.provide(presenter),
  Effect.provide(NodeServices.layer)
)

/** Runs the command that the arguments of the process name. */
export const main = (): void => NodeRuntime.runMain(program)
