import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Check from "../../../src/cli/checks/spool.ts"
import { config, folder } from "../support.ts"

const empty = { files: 0, bytes: 0, spans: 0, oldest: undefined, newest: undefined }
const measured: Check.Measured = {
  directory: "/spool",
  maxBytes: 256_000_000,
  freeBytes: 1e12,
  contents: { ...empty, owners: [], refused: empty, damaged: empty }
}
const withContents = (contents: Partial<Check.Measured["contents"]>): Check.Measured => ({
  ...measured,
  contents: { ...measured.contents, ...contents }
})

describe("spool", () => {
  it("empty, full, on a disk that is full", () => {
    assert.deepStrictEqual(Check.explain(measured), [
      { check: "spool", status: "ok", found: "/spool is writable, 0 B of 256 MB used" }
    ])
    const [full] = Check.explain(withContents({ bytes: 255_000_000 }))
    assert.include(full!, { status: "warning", found: "/spool is full: 255 MB of 256 MB; the oldest spans give way" })
    const [disk] = Check.explain({ ...measured, freeBytes: 1_000_000 })
    assert.include(disk!.found, "the disk of /spool has 1 MB left")
  })

  it("what is left behind, refused, damaged", () => {
    const part = { ...empty, files: 1, bytes: 1000, spans: 7 }
    const owner = { ...part, folder: "/spool/a" }
    const found = Check.explain(
      withContents({
        owners: [
          { ...owner, isAlive: false },
          { ...owner, isAlive: true }
        ],
        refused: part,
        damaged: { ...part, spans: 0 }
      })
    )
    assert.deepStrictEqual(
      found.map((finding) => finding.found),
      [
        "7 spans of processes that are gone wait in /spool",
        "7 spans that the collector refused are put aside in /spool",
        "1 damaged part put aside in /spool"
      ]
    )
    for (const { todo } of found) assert.include(todo, "spool")
  })

  it.effect("none, a real one, one that is a file", () =>
    Effect.gen(function* () {
      const check = (env: Record<string, string>) => Effect.promise(() => Check.spool(config(env)))
      assert.include((yield* check({}))[0]!.found, "none is configured")
      const at = yield* folder
      assert.match((yield* check({ OTEL_SPOOL_DIRECTORY: at }))[0]!.found, /is writable, 0 B of 256 MB used$/)
      writeFileSync(`${at}/file`, "")
      const [wrong] = yield* check({ OTEL_SPOOL_DIRECTORY: `${at}/file` })
      assert.strictEqual(wrong!.status, "warning")
      assert.include(wrong!.found, "cannot hold spans (it is not a directory)")
    }).pipe(Effect.scoped)
  )
})
