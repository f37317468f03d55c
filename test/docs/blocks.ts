/** The blocks of a page: code, commands, and what they print. */
import { readFileSync } from "node:fs"
import { root } from "./snippets.ts"

/** A fenced block. */
export interface Block {
  /** `docs/tracing.md:12`, the line of its fence. */
  readonly origin: string
  /** What stands behind the fence: `ts`, `ts vitest`, `console`, `text`. */
  readonly info: string
  /** What the comment right before it says: `server: takes`, `file: main.ts`, `prints`. */
  readonly note: string
  readonly lines: ReadonlyArray<string>
}

/** Every block of a page, in order. */
export const blocksOf = (page: string): ReadonlyArray<Block> => {
  const lines = readFileSync(root + page, "utf8").split("\n")
  const blocks: Array<Block> = []
  for (let i = 0; i < lines.length; i++) {
    const fence = /^```(.+)$/.exec(lines[i]!)
    if (fence === null) continue
    const end = lines.indexOf("```", i)
    const before = lines[i - 1] === "" ? lines[i - 2] : lines[i - 1]
    blocks.push({
      origin: `${page}:${i + 1}`,
      info: fence[1]!,
      note: /^<!-- (.*) -->$/.exec(before ?? "")?.[1] ?? "",
      lines: lines.slice(i + 1, end)
    })
    i = end
  }
  return blocks
}

/** What each program of a page prints, where the page shows it: by the program's origin. */
export const printedBy = (page: string): ReadonlyMap<string, ReadonlyArray<string>> => {
  const shown = new Map<string, ReadonlyArray<string>>()
  let program: string | undefined
  for (const { info, lines, note, origin } of blocksOf(page)) {
    if (info.startsWith("ts")) program = origin
    else if (note === "prints") {
      if (program === undefined) throw new Error(`${origin} prints, but no program stands before it`)
      shown.set(program, lines)
    }
  }
  return shown
}

/** A command, and what it prints. */
export interface Command {
  readonly command: string
  readonly output: ReadonlyArray<string>
}

/** The commands of a block of the console. */
export const commandsOf = (block: Block): ReadonlyArray<Command> => {
  const commands: Array<{ command: string; output: Array<string> }> = []
  for (const line of block.lines) {
    if (line.startsWith("$ ")) commands.push({ command: line.slice(2), output: [] })
    else if (commands.length === 0) throw new Error(`${block.origin} begins with no command`)
    else commands.at(-1)!.output.push(line)
  }
  return commands
}
