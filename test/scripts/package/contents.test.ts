import { describe, expect, it } from "@effect/vitest"
import { publicModules, resolve, unwanted, wanted, type Manifest } from "../../../scripts/package/contents.ts"

const manifest: Manifest = {
  name: "thing",
  bin: { thing: "./dist/cli/main.js" },
  exports: {
    ".": { source: "./src/index.ts", types: "./dist/index.d.ts", default: "./dist/index.js" },
    "./*": { source: "./src/*.ts", types: "./dist/*.d.ts", default: "./dist/*.js" },
    "./internal/*": null,
    "./package.json": "./package.json"
  }
}
const sources = ["src/index.ts", "src/services/Cache.ts", "src/internal/secret.ts", "src/cli/main.ts"]
const complete = [
  "package.json",
  "README.md",
  "LICENSE",
  "docs/spans.md",
  ...sources,
  ...sources.flatMap((source) => {
    const built = source.replace("src/", "dist/").replace(/\.ts$/, "")
    return [`${built}.js`, `${built}.d.ts`, `${built}.js.map`]
  })
]

describe("the contents of the package", () => {
  it("are found as Node finds them: exact keys, then the longest pattern, null closing a folder", () => {
    expect(resolve(manifest, "./package.json")).toEqual(["./package.json"])
    expect(resolve(manifest, "./services/Cache")).toEqual([
      "./src/services/Cache.ts",
      "./dist/services/Cache.d.ts",
      "./dist/services/Cache.js"
    ])
    expect(resolve(manifest, "./internal/secret")).toEqual([])
  })

  it("are public unless closed or a program", () => {
    expect(publicModules(manifest, sources)).toEqual(["thing", "thing/services/Cache"])
  })

  it("pass when they are complete", () => {
    expect(wanted(manifest, sources, complete)).toEqual([])
    expect(unwanted(manifest, complete)).toEqual([])
  })

  it.each([
    ["dist/services/Cache.js"],
    ["dist/services/Cache.d.ts"],
    ["dist/internal/secret.js"],
    ["dist/cli/main.js"],
    ["README.md"],
    ["LICENSE"]
  ])("miss %s when it is not there", (path) => {
    expect(
      wanted(
        manifest,
        sources,
        complete.filter((each) => each !== path)
      )
    ).toEqual([path])
  })

  it.each([
    ["test/a.ts"],
    ["src/a.test.ts"],
    ["dist/a.test.js"],
    ["dist/test/a.js"],
    ["scratchpad/app/main.ts"],
    ["bench/run.ts"],
    [".env"],
    ["src/.env"],
    ["dist/tsconfig.tsbuildinfo"],
    ["scripts/services.ts"],
    ["docs/draft.txt"]
  ])("do not include %s", (path) => {
    expect(unwanted(manifest, [...complete, path])).toEqual([path])
  })
})
