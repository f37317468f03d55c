import { globSync, readFileSync } from "node:fs"
import { dirname, join, normalize, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

/** The house: which rooms a room may enter. What is not listed may enter none. */
const doors: Readonly<Record<string, ReadonlyArray<string>>> = {
  tracer: [],
  propagation: ["tracer"],
  operation: ["tracer"],
  export: ["tracer"],
  events: ["operation", "tracer"],
  http: ["operation", "propagation", "tracer"],
  services: ["http", "operation", "propagation", "tracer"],
  testing: ["export", "tracer"],
  catalogue: ["events", "http", "operation", "propagation", "services", "tracer"],
  internal: ["export", "tracer", "front"],
  front: ["catalogue", "events", "export", "http", "internal", "operation", "propagation", "services", "tracer"],
  explorer: ["export", "front", "tracer"],
  cli: ["explorer", "export", "front", "internal", "propagation", "tracer"]
}

const root = fileURLToPath(new URL("..", import.meta.url))
const files = globSync("src/**/*.ts", { cwd: root }).map((file) => file.split(sep).join("/"))

const room = (file: string): string => {
  const parts = file.split("/")
  return parts.length === 2 ? "front" : parts[1]!
}

interface Import {
  readonly from: string
  readonly specifier: string
  readonly typeOnly: boolean
}

const importsOf = (file: string): ReadonlyArray<Import> => {
  // Examples in comments import too; they are no part of the file.
  const text = readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\//g, "")
  const found: Array<Import> = []
  for (const match of text.matchAll(
    /^(?:import|export)\s+(type\s+)?[^"';]*?from\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm
  )) {
    found.push({ from: file, specifier: (match[2] ?? match[3] ?? match[4])!, typeOnly: match[1] !== undefined })
  }
  return found
}

const resolve = (from: string, specifier: string): string =>
  normalize(join(dirname(from), specifier))
    .split(sep)
    .join("/")

/** The packages that are loaded with a file, itself or through others of ours. */
const packagesOf = (entry: string): ReadonlySet<string> => {
  const seen = new Set<string>()
  const packages = new Set<string>()
  const queue = [entry]
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue
    seen.add(file)
    for (const { specifier, typeOnly } of importsOf(file)) {
      if (typeOnly) continue
      if (specifier.startsWith(".")) queue.push(resolve(file, specifier))
      else if (!specifier.startsWith("node:"))
        packages.add(
          specifier
            .split("/")
            .slice(0, specifier.startsWith("@") ? 2 : 1)
            .join("/")
        )
    }
  }
  return packages
}

/** What the library needs in any case. */
const needed = [
  "@effect/opentelemetry",
  "@opentelemetry/api",
  "@opentelemetry/context-async-hooks",
  "@opentelemetry/core",
  "@opentelemetry/semantic-conventions",
  "effect"
]

describe("the house", () => {
  it("imports go the way the arrows go", () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter(({ specifier }) => specifier.startsWith("."))
        .flatMap(({ specifier }) => {
          const target = resolve(file, specifier)
          const [from, to] = [room(file), room(target)]
          if (target === "src/internal/version.ts" || from === to) return []
          return doors[from]?.includes(to) ? [] : [`${file} imports ${target}`]
        })
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("one service knows nothing of another", () => {
    const service = (file: string) => /^src\/services\/(\w+)\//.exec(file)?.[1]
    const wrong = files
      .filter((file) => service(file) !== undefined)
      .flatMap((file) =>
        importsOf(file)
          .filter(({ specifier }) => specifier.startsWith("."))
          .map(({ specifier }) => resolve(file, specifier))
          .filter((target) => service(target) !== undefined && service(target) !== service(file))
          .map((target) => `${file} imports ${target}`)
      )
    assert.deepStrictEqual(wrong, [])
  })

  it("the root and every service's own file load no client library", () => {
    const entries = ["src/index.ts", ...files.filter((file) => /^src\/services\/(\w+)\/\1\.ts$/.test(file))]
    assert.isAbove(entries.length, 2)
    for (const entry of entries) {
      const extra = [...packagesOf(entry)].filter((name) => !needed.includes(name))
      assert.deepStrictEqual(extra, [], entry)
    }
  })

  it("sources import Effect module by module, nothing of the repository around them", () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter(
          ({ specifier, typeOnly }) =>
            (specifier === "effect" && !typeOnly) || /^effect-telemetry|scratchpad|\/test\/|\/bench\//.test(specifier)
        )
        .map(({ specifier }) => `${file} imports ${specifier}`)
    )
    assert.deepStrictEqual(wrong, [])
  })
})
