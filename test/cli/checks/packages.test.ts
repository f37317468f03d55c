import { readFileSync } from "node:fs"
import { globSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Check from "../../../src/cli/checks/packages.ts"
import { folder, link, root, write } from "../support.ts"

const manifest = (name: string, version: string, peerDependencies?: Record<string, string>) =>
  JSON.stringify({ name, version, peerDependencies })

/** A tree: this package in `node_modules`, with peers as it has them. */
const tree = (files: Readonly<Record<string, string>>) =>
  Effect.map(folder, (at) => {
    write(at, {
      "package.json": manifest("shop", "1.0.0"),
      "node_modules/effect-telemetry/package.json": manifest("effect-telemetry", "0.1.0", {
        effect: "^4.1.0",
        "@opentelemetry/api": ">=1.9.0 <2.0.0",
        redis: "^6.3.1"
      }),
      ...files
    })
    return { at, own: `${at}/node_modules/effect-telemetry` }
  })

const good = {
  "node_modules/effect/package.json": manifest("effect", "4.1.0"),
  "node_modules/@opentelemetry/api/package.json": manifest("@opentelemetry/api", "1.9.1")
}

describe("packages", () => {
  it.effect("one copy each", () =>
    Effect.gen(function* () {
      const { at, own } = yield* tree(good)
      assert.deepStrictEqual(Check.packages(at, own), [
        { check: "packages", status: "ok", found: "one copy each of effect 4.1.0 and @opentelemetry/api 1.9.1" }
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("the application's copy is not ours: of another version it fails, of the same it is a warning", () =>
    Effect.gen(function* () {
      const other = "node_modules/effect-telemetry/node_modules/effect/package.json"
      const different = yield* tree({ ...good, [other]: manifest("effect", "4.2.0") })
      const [finding, ...others] = Check.packages(different.at, different.own)
      assert.lengthOf(others, 0)
      assert.include(finding!, { status: "failed" })
      assert.include(
        finding!.found,
        "the application has effect 4.1.0 in node_modules/effect, and effect-telemetry 4.2.0 in"
      )
      assert.include(finding!.todo, "npm ls effect")
      const same = yield* tree({ ...good, [other]: manifest("effect", "4.1.0") })
      assert.strictEqual(Check.packages(same.at, same.own)[0]!.status, "warning")
    }).pipe(Effect.scoped)
  )

  it.effect("a copy that a third brings, also in pnpm's tree", () =>
    Effect.gen(function* () {
      for (const place of [
        "node_modules/lib/node_modules",
        "node_modules/.pnpm/api@1.8.0/node_modules",
        "node_modules/@a/b/node_modules"
      ]) {
        const { at, own } = yield* tree({
          ...good,
          "node_modules/lib/package.json": manifest("lib", "1.0.0"),
          [`${place}/@opentelemetry/api/package.json`]: manifest("@opentelemetry/api", "1.8.0")
        })
        const [finding] = Check.packages(at, own)
        assert.strictEqual(finding!.status, "warning", place)
        assert.include(finding!.found, "there are 2 copies of @opentelemetry/api")
        assert.include(finding!.found, `1.8.0 in ${place}/@opentelemetry/api`)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("missing, and of a version that does not fit", () =>
    Effect.gen(function* () {
      const { at, own } = yield* tree({ "node_modules/effect/package.json": manifest("effect", "3.17.0") })
      const [effect, api] = Check.packages(at, own)
      assert.include(effect!, {
        status: "failed",
        found: "effect 3.17.0 is installed, and ^4.1.0 is needed",
        todo: 'npm install effect@"^4.1.0"'
      })
      assert.include(api!.found, "@opentelemetry/api is not installed")
    }).pipe(Effect.scoped)
  )

  it.effect("a package beside effect that wants another version of it", () =>
    Effect.gen(function* () {
      const { at, own } = yield* tree({
        ...good,
        "node_modules/@effect/platform-node/package.json": manifest("@effect/platform-node", "5.0.0", {
          effect: "^5.0.0"
        })
      })
      assert.include(Check.packages(at, own)[0]!, {
        status: "failed",
        found: "@effect/platform-node 5.0.0 wants effect ^5.0.0, and 4.1.0 is installed"
      })
    }).pipe(Effect.scoped)
  )

  it("this checkout is in order", () => {
    assert.deepStrictEqual(
      Check.packages(root).map(({ status }) => status),
      ["ok"]
    )
  })
})

describe("peers", () => {
  it.effect("a client that is missing, too old, there, or not needed", () =>
    Effect.gen(function* () {
      const entry = new Map([["CacheLive", "src/cache.ts:1"]])
      const missing = yield* tree(good)
      const [finding] = Check.peers(missing.at, new Map([["CacheLive", "src/cache.ts:1"]]), missing.own)
      assert.include(finding!, { status: "failed" })
      assert.include(
        finding!.found,
        "src/cache.ts:1 imports effect-telemetry/CacheLive, which needs @effect/platform-node"
      )
      const platform = { "node_modules/@effect/platform-node/package.json": manifest("@effect/platform-node", "4.1.0") }
      const old = yield* tree({ ...good, ...platform, "node_modules/redis/package.json": manifest("redis", "4.0.0") })
      assert.deepInclude(Check.peers(old.at, entry, old.own), {
        check: "peers",
        status: "warning",
        found: "redis 4.0.0 is installed, and effect-telemetry/CacheLive is made for ^6.3.1",
        todo: 'npm install redis@"^6.3.1"'
      })
      const there = yield* tree({ ...good, ...platform, "node_modules/redis/package.json": manifest("redis", "6.4.0") })
      assert.strictEqual(Check.peers(there.at, entry, there.own)[0]!.status, "ok")
      assert.strictEqual(Check.peers(there.at, new Map(), there.own)[0]!.status, "skipped")
    }).pipe(Effect.scoped)
  )

  it("the clients of each entry point are those that its files import, and optional peers", () => {
    const { exports, peerDependenciesMeta } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
      exports: Record<string, { source?: string } | null>
      peerDependenciesMeta: Record<string, unknown>
    }
    const optional = Object.keys(peerDependenciesMeta)
    for (const [entryPoint, target] of Object.entries(exports)) {
      const name = entryPoint.slice(2)
      if (!/(?:Live|Embedded|OpenSearch)$/.test(name) || target?.source === undefined) continue
      const queue = [target.source.slice(2)]
      const seen = new Set<string>()
      const wanted = new Set<string>()
      for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
        if (seen.has(file)) continue
        seen.add(file)
        const text = readFileSync(root + file, "utf8").replace(/\/\*[\s\S]*?\*\//g, "")
        for (const match of text.matchAll(/(?:^(?:import|export)\s+(?!type)[^"';]*?from\s+|\bimport\()"([^"]+)"/gm)) {
          const specifier = match[1]!
          if (specifier.startsWith(".")) queue.push(new URL(specifier, `file:///${file}`).pathname.slice(1))
          else wanted.add(optional.find((peer) => specifier === peer || specifier.startsWith(`${peer}/`)) ?? "")
        }
      }
      wanted.delete("")
      assert.deepStrictEqual([...(Check.clients[name] ?? [])].sort(), [...wanted].sort(), name)
    }
    assert.isAbove(globSync("src/services/*/*Live.ts", { cwd: root }).length, 3)
  })
})

describe("a tree of links", () => {
  it.effect("the same copy by two ways is one", () =>
    Effect.gen(function* () {
      const at = yield* folder
      link(at, ["effect", "@opentelemetry/api"])
      write(at, { "package.json": manifest("shop", "1.0.0") })
      assert.deepStrictEqual(
        Check.packages(at).map(({ status }) => status),
        ["ok"]
      )
    }).pipe(Effect.scoped)
  )
})
