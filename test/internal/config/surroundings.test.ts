import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { notSpoolable, packageName, notPem } from "../../../src/internal/config/surroundings.ts"

let root: string
const at = (...parts: ReadonlyArray<string>) => Path.join(root, ...parts)
const write = (file: string, text: string) => {
  Fs.mkdirSync(Path.dirname(at(file)), { recursive: true })
  Fs.writeFileSync(at(file), text)
}

beforeAll(() => {
  root = Fs.mkdtempSync(Path.join(Os.tmpdir(), "telemetry-config-"))
  write("app/package.json", `{ "name": "@acme/app" }`)
  write("app/dist/package.json", `{ "type": "module" }`)
  write("app/broken/package.json", `{ "name": `)
  write("app/null/package.json", "null")
  write("app/node_modules/runner/package.json", `{ "name": "runner" }`)
  write("elsewhere/package.json", `{ "name": "elsewhere" }`)
  write("bare/file", "")
})
afterAll(() => Fs.rmSync(root, { recursive: true, force: true }))

/** Directories above the temporary one may have a `package.json` of their own; what counts is that ours has none. */
const nameOutside = packageName(undefined, Os.tmpdir())?.name

describe("packageName", () => {
  it("is the nearest that has a name, upwards from the main script", () => {
    const found = { name: "@acme/app", file: at("app/package.json") }
    expect(packageName(at("app/main.js"), at("elsewhere"))).toEqual(found)
    expect(packageName(at("app/dist/deep/main.js"), at("elsewhere"))).toEqual(found)
  })

  it("passes over a file that is no JSON or no object", () => {
    expect(packageName(at("app/broken/main.js"), at("elsewhere"))?.name).toBe("@acme/app")
    expect(packageName(at("app/null/main.js"), at("elsewhere"))?.name).toBe("@acme/app")
  })

  it("takes the working directory where there is no script", () => {
    expect(packageName(undefined, at("app/dist"))?.name).toBe("@acme/app")
  })

  it("takes the working directory where the script is a runner, and the runner's where that has none", () => {
    expect(packageName(at("app/node_modules/runner/cli.js"), at("elsewhere"))?.name).toBe("elsewhere")
    expect(packageName(at("app/node_modules/runner/cli.js"), at("bare"))?.name).toBe(nameOutside ?? "runner")
  })

  it("takes the working directory where the script's has none", () => {
    expect(packageName(at("bare/main.js"), at("elsewhere"))?.name).toBe(nameOutside ?? "elsewhere")
  })

  it("is nothing where nobody has a name", () => {
    expect(packageName(at("bare/main.js"), at("bare"))?.name).toBe(nameOutside)
  })
})

describe("notPem", () => {
  it("says why", () => {
    const pem = (name: string, text: string) => {
      Fs.writeFileSync(at(name), text)
      return at(name)
    }
    const certificate = pem("bare/ca.pem", "# ours\n-----BEGIN CERTIFICATE-----\n")
    const key = pem("bare/key.pem", "-----BEGIN EC PRIVATE KEY-----\n")
    expect(notPem(certificate, "CERTIFICATE")).toBeUndefined()
    expect(notPem(key, "PRIVATE KEY")).toBeUndefined()
    expect(notPem(key, "CERTIFICATE")).toBe("it has no -----BEGIN CERTIFICATE----- in it")
    expect(notPem(certificate, "PRIVATE KEY")).toBe("it has no -----BEGIN PRIVATE KEY----- in it")
    expect(notPem(at("bare"), "CERTIFICATE")).toBe("it is not a file")
    expect(notPem(at("bare/none"), "CERTIFICATE")).toBe("it cannot be read: ENOENT")
  })
})

describe("notSpoolable", () => {
  it("accepts a directory and leaves nothing in it", () => {
    Fs.mkdirSync(at("spool"))
    expect(notSpoolable(at("spool"))).toBeUndefined()
    expect(Fs.readdirSync(at("spool"))).toEqual([])
  })

  it("makes one that is missing, for its owner alone", () => {
    expect(notSpoolable(at("new/spool"))).toBeUndefined()
    expect(Fs.statSync(at("new/spool")).mode & 0o777).toBe(0o700)
  })

  it("refuses a file, and a path through a file", () => {
    expect(notSpoolable(at("bare/file"))).toBe("it is not a directory")
    expect(notSpoolable(at("bare/file/below"))).toBe("it is not a directory")
  })

  it("refuses a link that leads nowhere", () => {
    Fs.symlinkSync(at("nowhere/at/all"), at("dangling"))
    expect(notSpoolable(at("dangling"))).toMatch(/^it is not a directory$|^it cannot be made: [A-Z]+$/)
    expect(notSpoolable(at("dangling/below"))).toMatch(/^it is not a directory$|^it cannot be made: [A-Z]+$/)
  })

  it.runIf(process.platform === "linux")("comes back where the file system takes no folders", () => {
    expect(notSpoolable("/proc/none/below")).toMatch(/^it cannot be made: [A-Z]+$/)
  })

  it("refuses a directory that cannot be written to", () => {
    // Permissions do not bind root, so that a file system that takes no files stands in for them there.
    const isRoot = process.getuid?.() === 0
    const directory = isRoot ? "/proc/self" : at("locked")
    if (!isRoot) Fs.mkdirSync(directory, { mode: 0o500 })
    expect(notSpoolable(directory)).toMatch(/^it is not writable: [A-Z]+$/)
  })
})
