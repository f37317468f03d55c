/**
 * What the configuration has to ask the machine: the application's name, whether a file can be read, whether a directory
 * can hold spans. Synchronous, since it runs once, before anything else does.
 *
 * @internal
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { makeDirectorySync } from "../../export/SpoolIo.ts"

/** A name and the file that gave it. */
export interface PackageName {
  readonly name: string
  readonly file: string
}

const nameIn = (file: string): string | undefined => {
  try {
    const name: unknown = (JSON.parse(Fs.readFileSync(file, "utf8")) as { readonly name?: unknown } | null)?.name
    return typeof name === "string" && name.trim() !== "" ? name.trim() : undefined
  } catch {
    return undefined
  }
}

const nearest = (from: string): PackageName | undefined => {
  for (let directory = Path.resolve(from); ; directory = Path.dirname(directory)) {
    const file = Path.join(directory, "package.json")
    const name = nameIn(file)
    if (name !== undefined) return { name, file }
    if (directory === Path.dirname(directory)) return undefined
  }
}

/**
 * The name in the nearest `package.json` that has one, upwards from the main script, else from the working directory.
 *
 * A main script inside `node_modules` is a runner (a test runner, a process manager, a bundler's server) and not the
 * application, so there the working directory goes first.
 */
export const packageName = (mainScript: string | undefined, workingDirectory: string): PackageName | undefined => {
  const scriptDirectory =
    mainScript === undefined ? undefined : Path.dirname(Path.resolve(workingDirectory, mainScript))
  const isRunner = scriptDirectory?.split(Path.sep).includes("node_modules") === true
  const order = isRunner ? [workingDirectory, scriptDirectory] : [scriptDirectory, workingDirectory]
  for (const directory of order) {
    const found = directory === undefined ? undefined : nearest(directory)
    if (found !== undefined) return found
  }
  return undefined
}

/** The working directory; the root where it was removed under the process. */
export const workingDirectory = (): string => {
  try {
    return process.cwd()
  } catch {
    return Path.parse(process.execPath).root
  }
}

const reasonOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "unknown error"

/** Why a file cannot be read as the PEM of certificates or of a private key; `undefined` where it can. */
export const notPem = (file: string, what: "CERTIFICATE" | "PRIVATE KEY"): string | undefined => {
  try {
    if (!Fs.statSync(file).isFile()) return "it is not a file"
    // Node takes whatever it is given, and then trusts nobody without saying why.
    const has = new RegExp(`-----BEGIN [A-Z0-9 ]{0,40}${what}-----`).test(Fs.readFileSync(file, "latin1"))
    return has ? undefined : `it has no -----BEGIN ${what}----- in it`
  } catch (error) {
    return `it cannot be read: ${reasonOf(error)}`
  }
}

/**
 * Why a directory cannot hold spans; `undefined` where it can. Makes it where it is missing, readable by its owner alone,
 * since spans can hold personal data.
 *
 * It tries to write instead of asking for permission: a full quota, a read-only file system and a pseudo file system say
 * yes to that question.
 */
export const notSpoolable = (directory: string): string | undefined => {
  try {
    makeDirectorySync(Path.resolve(directory))
    if (!Fs.statSync(directory).isDirectory()) return "it is not a directory"
  } catch (error) {
    const code = reasonOf(error)
    return code === "EEXIST" || code === "ENOTDIR" ? "it is not a directory" : `it cannot be made: ${code}`
  }
  const probe = Path.join(directory, `.writable-${process.pid}-${Math.random().toString(36).slice(2)}`)
  try {
    Fs.closeSync(Fs.openSync(probe, "wx", 0o600))
    Fs.unlinkSync(probe)
    return undefined
  } catch (error) {
    return `it is not writable: ${reasonOf(error)}`
  }
}
