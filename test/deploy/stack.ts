/** `deploy/compose.yaml` and the files that it mounts, as its tests read them. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parse } from "yaml"

/** The repository. */
export const root = fileURLToPath(new URL("../..", import.meta.url))

/** `deploy/`. */
export const folder = join(root, "deploy")

export const read = (file: string): string => readFileSync(join(folder, file), "utf8")

/** A file of YAML, its fragments merged. */
export const yaml = (file: string): any => parse(read(file), { merge: true })

export interface Service {
  readonly image?: string
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly command?: ReadonlyArray<string>
  readonly restart?: string
  readonly user?: string
  readonly init?: boolean
  readonly privileged?: boolean
  readonly read_only?: boolean
  readonly cap_drop?: ReadonlyArray<string>
  readonly security_opt?: ReadonlyArray<string>
  readonly environment?: Readonly<Record<string, string | null>>
  readonly volumes?: ReadonlyArray<string>
  readonly ports?: ReadonlyArray<string>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test?: ReadonlyArray<string>; readonly disable?: boolean }
  readonly deploy?: { readonly resources: { readonly limits: { readonly cpus: string; readonly memory: string } } }
}

export const compose: {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
} = yaml("compose.yaml")

export const services = Object.entries(compose.services)

/** The stages of a Dockerfile: what each begins from, and the paths that are copied from the build's context. */
export const dockerfile = (
  file: string
): {
  readonly from: ReadonlyArray<string>
  readonly copied: ReadonlyArray<string>
  readonly user: string | undefined
} => {
  const lines = read(file).split("\n")
  return {
    from: lines.flatMap((line) => /^FROM (\S+)/.exec(line)?.[1] ?? []),
    copied: lines.flatMap((line) => {
      const words = /^COPY (?!--from)(.*)$/.exec(line)?.[1]?.split(/\s+/)
      return words === undefined ? [] : words.slice(0, -1)
    }),
    user: lines.flatMap((line) => /^USER (\S+)/.exec(line)?.[1] ?? []).at(-1)
  }
}

/** The variables that a text asks for, with what it says after the name (`:?…`, `:-…`). */
export const variablesOf = (text: string): ReadonlyArray<{ readonly name: string; readonly rest: string }> =>
  [...text.matchAll(/(?<!\$)\$\{(\w+)(:?[-?][^}]*)?\}/g)].map(([, name, rest]) => ({ name: name!, rest: rest ?? "" }))

/** The variables that a configuration of the Collector asks for. */
export const collectorVariables = (file: string): ReadonlySet<string> =>
  new Set([...read(file).matchAll(/\$\{env:(\w+)/g)].map(([, name]) => name!))
