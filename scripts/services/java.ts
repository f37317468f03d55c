/**
 * Servers from Maven Central's jars: a JDK, Maven, and a repository in the cache folder.
 */
import * as Effect from "effect/Effect"
import { existsSync, readdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { aptInstall } from "./apt.ts"
import { built, cacheFolder } from "./cache.ts"
import type { Guard } from "./Guard.ts"
import { type CommandFailed, run, which } from "./processes.ts"
import { Unavailable } from "./Server.ts"

export interface Jdk {
  readonly home: string
  readonly major: number
}

/** The major version out of a JDK's `release` file: 17 of `JAVA_VERSION="17.0.15"`, 8 of `"1.8.0_402"`. */
export const majorVersion = (release: string): number | undefined => {
  const match = /^JAVA_VERSION="(?:1\.)?(\d+)/m.exec(release)
  return match === null ? undefined : Number(match[1])
}

const homes = (): ReadonlyArray<string> => {
  const found: Array<string> = []
  const own = process.env["JAVA_HOME"]
  if (own !== undefined && own !== "") found.push(own)
  const compiler = which("javac")
  if (compiler !== undefined) found.push(dirname(dirname(realpathSync(compiler))))
  for (const [folder, inside] of [
    ["/usr/lib/jvm", ""],
    ["/Library/Java/JavaVirtualMachines", "Contents/Home"]
  ] as const) {
    if (existsSync(folder)) found.push(...readdirSync(folder).map((name) => join(folder, name, inside)))
  }
  return found
}

/** The oldest JDK here that is new enough: what a server was built for runs it best. */
const jdk = (oldest: number) =>
  Effect.suspend((): Effect.Effect<Jdk, Unavailable> => {
    const found: Array<Jdk> = []
    for (const home of homes()) {
      if (!existsSync(join(home, "bin", "javac")) || !existsSync(join(home, "release"))) continue
      const major = majorVersion(readFileSync(join(home, "release"), "utf8"))
      if (major !== undefined) found.push({ home, major })
    }
    const best = found.filter((each) => each.major >= oldest).sort((a, b) => a.major - b.major)[0]
    if (best !== undefined) return Effect.succeed(best)
    const others = [...new Set(found.map((each) => each.major))].join(", ")
    return Effect.fail(
      new Unavailable({
        reason: `no JDK ${oldest} or later (JAVA_HOME, PATH, /usr/lib/jvm${others === "" ? "" : `; found ${others}`})`
      })
    )
  })

export interface JavaServer {
  readonly jdk: Jdk
  readonly java: string
  /** What the Maven project calls its home: jars, laid out as the server wants them. */
  readonly home: string
}

/** Runs a Maven project that lies beside this file and keeps its `target/home`. */
export const mavenBuild = (options: {
  readonly name: string
  readonly notice: string
  readonly project: string
  readonly properties: Readonly<Record<string, string>>
  readonly oldestJdk: number
  /** Files that the home needs besides, by their path in it. */
  readonly files?: Readonly<Record<string, string>> | undefined
}): Effect.Effect<JavaServer, Unavailable | CommandFailed, Guard> =>
  Effect.gen(function* () {
    const found = yield* jdk(options.oldestJdk)
    const properties = Object.entries(options.properties).map(([name, value]) => `-D${name}=${value}`)
    const files = Object.entries(options.files ?? {})
    const folder = yield* built({
      name: options.name,
      notice: options.notice,
      sources: options.project,
      key: [...properties, ...files.flat()],
      tool: which("mvn") === undefined ? aptInstall("maven", "Maven") : Effect.void,
      build: (_, work, result) =>
        Effect.gen(function* () {
          yield* run(
            "mvn",
            ["--batch-mode", "--quiet", `-Dmaven.repo.local=${join(cacheFolder(), "maven")}`, ...properties, "package"],
            { cwd: work, env: { JAVA_HOME: found.home }, background: true }
          )
          const home = join(result, "home")
          renameSync(join(work, "target", "home"), home)
          for (const [path, content] of files) writeFileSync(join(home, path), content)
        })
    })
    return { jdk: found, java: join(found.home, "bin", "java"), home: join(folder, "home") }
  })

/** For a short life on a small machine: quick to start, little memory. */
export const jvmFlags: ReadonlyArray<string> = [
  "-Xms128m",
  "-Xmx512m",
  "-XX:+UseSerialGC",
  "-XX:TieredStopAtLevel=1",
  "-XX:-UsePerfData"
]
