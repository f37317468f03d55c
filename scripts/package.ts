/**
 * What npm would publish, looked at from outside: every module that `exports` promises is in the tarball, nothing else is, and a
 * project that has the tarball instead of this checkout can import each of them and compile against it. Needs a build: `npm run build`.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { publicModules, unwanted, type Manifest, wanted } from "./package/contents.ts"

const root = join(import.meta.dirname, "..")
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest

const sources = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
  .sort()

const problems: Array<string> = []
const scratch = mkdtempSync(join(tmpdir(), "effect-telemetry-package-"))

/** A project whose packages are this checkout's, and whose effect-telemetry is the tarball's. */
const makeProject = (tarball: string) => {
  const modules = join(scratch, "node_modules")
  const link = (name: string) => {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(root, "node_modules", name), join(modules, name))
  }
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name.startsWith(".") || name === manifest.name) continue
    if (!name.startsWith("@")) link(name)
    else for (const inner of readdirSync(join(root, "node_modules", name))) link(`${name}/${inner}`)
  }
  const own = join(modules, manifest.name)
  mkdirSync(own, { recursive: true })
  execFileSync("tar", ["-xzf", tarball, "-C", own, "--strip-components=1"])
  writeFileSync(join(scratch, "package.json"), JSON.stringify({ name: "scratch", private: true, type: "module" }))
  return own
}

const importAll = (modules: ReadonlyArray<string>) => {
  const program = `
    let failed = 0
    for (const name of ${JSON.stringify(modules)}) {
      try { await import(name) } catch (error) { failed++; console.log(name + ": " + (error.stack ?? error).split("\\n").slice(0, 4).join(" | ")) }
    }
    process.exit(failed === 0 ? 0 : 1)`
  writeFileSync(join(scratch, "import.mjs"), program)
  const { status, stderr, stdout } = spawnSync(process.execPath, ["import.mjs"], { cwd: scratch, encoding: "utf8" })
  if (status === 0) return
  problems.push(
    ...`${stdout}${stderr}`
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => `import of ${line}`)
  )
}

const compileAgainst = (modules: ReadonlyArray<string>, own: string) => {
  const lines = modules.map(
    (name, index) => `import * as m${index} from ${JSON.stringify(name)}\nexport type M${index} = typeof m${index}\n`
  )
  writeFileSync(join(scratch, "index.ts"), lines.join(""))
  const compilerOptions = {
    target: "ES2024",
    module: "NodeNext",
    moduleResolution: "NodeNext",
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    // Declarations are what is tested here; those of other packages are not ours to judge, and filtered below.
    skipLibCheck: false,
    noEmit: true
  }
  writeFileSync(join(scratch, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["index.ts"] }))
  const tsc = join(root, "node_modules", ".bin", "tsc")
  const { status, stdout } = spawnSync(tsc, ["-p", "tsconfig.json", "--pretty", "false"], {
    cwd: scratch,
    encoding: "utf8"
  })
  if (status === null) problems.push("the compiler could not be run")
  const ours = stdout
    .split("\n")
    .filter((line) => line.startsWith("index.ts") || line.includes(`${relative(scratch, own)}/`))
  problems.push(...ours.map((line) => `types: ${line}`))
}

try {
  const output = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", scratch], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"]
  })
  const packed = (
    JSON.parse(output) as ReadonlyArray<{ filename: string; size: number; files: ReadonlyArray<{ path: string }> }>
  )[0]
  if (packed === undefined) throw new Error("npm pack told nothing of what it packed")
  const files = packed.files.map((file) => file.path)
  problems.push(...wanted(manifest, sources, files).map((path) => `missing: ${path}`))
  problems.push(...unwanted(manifest, files).map((path) => `does not belong: ${path}`))

  const modules = publicModules(manifest, sources)
  if (problems.length === 0) {
    const own = makeProject(join(scratch, packed.filename))
    importAll(modules)
    compileAgainst(modules, own)
  }
  if (problems.length === 0) {
    const size = `${files.length} files, ${Math.round(packed.size / 1024)} kB packed`
    console.log(`package: ${size}; ${modules.length} modules imported and compiled against from the tarball`)
  } else {
    for (const problem of problems) console.error(`package: ${problem}`)
    process.exitCode = 1
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
