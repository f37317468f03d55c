/**
 * The command line: `[start|install] [names…]`, `run [names…] -- command…`.
 */
export interface Arguments {
  readonly action: "start" | "install" | "run" | "help"
  readonly names: ReadonlyArray<string>
  readonly command: ReadonlyArray<string>
}

export const usage = (known: ReadonlyArray<string>): string => `Usage: npm run services -- [action] [names]

  start [names]              install and start them, say where they are, go on until Ctrl-C (the default)
  install [names]            install only
  run [names] -- command     start them, run the command with their addresses in its environment, stop them;
                             the exit code is the command's

Names: ${known.join(", ")} (all of them when none is given)

A server that cannot be had on this machine is skipped and the reason printed; with CI=true that is a failure.
What is fetched and built (some 5 GB) stays in $XDG_CACHE_HOME/effect-telemetry, else ~/.cache/effect-telemetry;
remove that folder to be rid of it.`

/** What was asked for, or what is wrong with it. */
export const parse = (argv: ReadonlyArray<string>, known: ReadonlyArray<string>): Arguments | string => {
  const dashes = argv.indexOf("--")
  const before = dashes === -1 ? argv : argv.slice(0, dashes)
  const command = dashes === -1 ? [] : argv.slice(dashes + 1)
  if (before.some((word) => word === "--help" || word === "-h" || word === "help")) {
    return { action: "help", names: [], command: [] }
  }
  const first = before[0]
  const action = first === "start" || first === "install" || first === "run" ? first : undefined
  const names = action === undefined ? before : before.slice(1)

  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    return `"${unknown}" is neither an action (start, install, run) nor a server (${known.join(", ")})`
  }
  if (action === "run" && command.length === 0) return "run needs a command: run [names] -- command"
  if (action !== "run" && dashes !== -1) return `${action ?? "start"} takes no command: say run [names] -- command`
  return {
    action: action ?? "start",
    names: names.length === 0 ? known : known.filter((name) => names.includes(name)),
    command
  }
}
