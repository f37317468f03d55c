import { describe, expect, it } from "@effect/vitest"
import { majorVersion } from "../../../scripts/services/java.ts"

describe("the version of a JDK", () => {
  it.each([
    ['IMPLEMENTOR="Eclipse Adoptium"\nJAVA_VERSION="25.0.3"\n', 25],
    ['JAVA_VERSION="17.0.15"\nOS_NAME="Linux"', 17],
    ['JAVA_VERSION="1.8.0_402"', 8],
    ['JAVA_VERSION="26-ea"', 26],
    ['JAVA_RUNTIME_VERSION="25.0.3+9-LTS"', undefined],
    ["", undefined]
  ])("of %j is %s", (release, version) => {
    expect(majorVersion(release)).toBe(version)
  })
})
