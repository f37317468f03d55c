import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { satisfies } from "../../../src/cli/checks/versions.ts"

describe("versions", () => {
  const cases: ReadonlyArray<readonly [string, string, boolean]> = [
    ["4.1.0", "^4.1.0", true],
    ["4.9.3", "^4.1.0", true],
    ["4.0.9", "^4.1.0", false],
    ["5.0.0", "^4.1.0", false],
    ["0.7.64", "^0.7.64", true],
    ["0.8.0", "^0.7.64", false],
    ["0.0.4", "^0.0.3", false],
    ["1.9.1", ">=1.9.0 <2.0.0", true],
    ["2.0.0", ">=1.9.0 <2.0.0", false],
    ["1.9.1", ">= 1.9.0 < 2.0.0", true],
    ["0.5.14", "0.5.14", true],
    ["0.5.15", "0.5.14", false],
    ["1.2.9", "~1.2.3", true],
    ["1.3.0", "~1.2.3", false],
    ["3.1.0", "^2.0.0 || ^3.0.0", true],
    ["4.1.0", "4", true],
    ["4.1.0", "4.x", true],
    ["4.1.0", "3.x", false],
    ["4.1.0", "*", true],
    ["4.0.0-beta.3", "^4.0.0", true],
    ["4.1.0", "workspace:*", true],
    ["4.1.0", "latest", true]
  ]
  for (const [version, range, expected] of cases) {
    it(`${version} ${expected ? "is in" : "is not in"} ${range}`, () => {
      assert.strictEqual(satisfies(version, range), expected)
    })
  }

  const part = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 99 }))
  const major = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 99 }))
  it.prop("a version is in its own ranges, and in none above it", { major, minor: part, patch: part }, (parts) => {
    const version = `${parts.major}.${parts.minor}.${parts.patch}`
    for (const range of [version, `^${version}`, `~${version}`, `>=${version}`, `<=${version}`]) {
      assert.isTrue(satisfies(version, range), range)
    }
    assert.isFalse(satisfies(version, `>${version}`))
    assert.isFalse(satisfies(version, `<${version}`))
    assert.isFalse(satisfies(version, `^${parts.major + 1}.0.0`))
    assert.isFalse(satisfies(version, `^${parts.major}.${parts.minor}.${parts.patch + 1}`))
  })
})
