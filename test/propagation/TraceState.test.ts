import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as TraceState from "../../src/propagation/TraceState.ts"

const serialize = (value: string | ReadonlyArray<string>) => TraceState.parse(value)?.serialize()

describe("the specification's examples", () => {
  // Trace Context level 2, sections 3.1, 3.3.1 and 3.3.2.
  it.each([
    "rojo=00f067aa0ba902b7",
    "congo=t61rcWkgMzE",
    "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
    "congo=ucfJifl5GOE,rojo=00f067aa0ba902b7",
    "vendorname1=opaqueValue1,vendorname2=opaqueValue2"
  ])("%s is carried unchanged", (header) => {
    assert.strictEqual(serialize(header), header)
  })

  it("a system that meets its own member again rewrites it in front", () => {
    const state = TraceState.parse("rojo=rojosFirstPosition,congo=congosFirstPosition")
    assert.strictEqual(
      state?.set("congo", "congosSecondPosition").serialize(),
      "congo=congosSecondPosition,rojo=rojosFirstPosition"
    )
  })
})

const member = (length: number, key: string) => `${key}=${"v".repeat(length - key.length - 1)}`
const list = (count: number) => Array.from({ length: count }, (_, i) => `k${i}=${i}`).join(",")

describe("reading", () => {
  it.each([
    ["several headers, in their order", ["foo=1,bar=2", "rojo=1", "baz=3"], "foo=1,bar=2,rojo=1,baz=3"],
    ["white space around members", ["foo=1 \t , \t bar=2, \t baz=3 "], "foo=1,bar=2,baz=3"],
    ["white space at the start of a value, which belongs to it", ["foo= 1"], "foo= 1"],
    ["empty members", ["", "foo=1,,bar=2,", " "], "foo=1,bar=2"],
    ["two members of one key: the first stays", ["foo=1,bar=2,foo=3"], "foo=1,bar=2"],
    ["at signs", ["foo@=1,a@@b=2,foo@bar@baz=3"], "foo@=1,a@@b=2,foo@bar@baz=3"],
    ["a key that begins with a digit", ["0a=1"], "0a=1"],
    ["32 members", [list(32)], list(32)],
    ["a key of 256 characters", [member(258, "k".repeat(256))], member(258, "k".repeat(256))]
  ])("%s", (_, headers, expected) => {
    assert.strictEqual(serialize(headers), expected)
  })

  it.each([
    ["nothing", ""],
    ["only separators", " , ,\t"],
    ["a key in upper case", "FOO=1,bar=2"],
    ["a space behind a key", "foo =1,bar=2"],
    ["a dot in a key", "foo.bar=1"],
    ["a key that begins with an at sign", "@foo=1,bar=2"],
    ["no key", "=1"],
    ["no value", "foo=,bar=3"],
    ["no equals sign", "foo,bar=3"],
    ["an equals sign in a value", "foo=bar=baz"],
    ["a tab in a value", "foo=a\tb"],
    ["a character outside of ASCII", "foo=é"],
    ["a key of 257 characters", `${"k".repeat(257)}=1,foo=1`],
    ["a value of 257 characters", `foo=${"v".repeat(257)}`],
    ["33 members", list(33)],
    ["a megabyte", "a=1,".repeat(262_144)]
  ])("%s makes the list invalid", (_, header) => {
    assert.isUndefined(TraceState.parse(header))
  })
})

describe("limits", () => {
  it("512 characters are carried on", () => {
    const header = ["a", "b", "c", "d"].map((key) => member(key === "d" ? 128 : 127, key)).join(",")
    assert.strictEqual(header.length, 512)
    assert.strictEqual(serialize(header), header)
  })

  it("members of more than 128 characters go first, the last of them before the others", () => {
    const header = [member(129, "a"), member(200, "b"), member(120, "c"), member(100, "d")].join(",")
    assert.strictEqual(serialize(header), [member(129, "a"), member(120, "c"), member(100, "d")].join(","))
  })

  it("then whole members go from the end", () => {
    const header = ["a", "b", "c", "d", "e"].map((key) => member(120, key)).join(",")
    assert.strictEqual(serialize(header), ["a", "b", "c", "d"].map((key) => member(120, key)).join(","))
  })

  it("one member over the limit leaves nothing", () => {
    assert.isUndefined(TraceState.parse(`${"k".repeat(256)}=${"v".repeat(256)}`))
  })
})

describe("changing", () => {
  const state = TraceState.parse("a=1,b=2,c=3")!

  it("a new member goes in front", () => {
    assert.strictEqual(state.set("d", "4").serialize(), "d=4,a=1,b=2,c=3")
    assert.strictEqual(TraceState.empty.set("d", "4").serialize(), "d=4")
  })

  it("a member is found, taken away, and what is invalid changes nothing", () => {
    assert.strictEqual(state.get("b"), "2")
    assert.isUndefined(state.get("z"))
    assert.strictEqual(state.unset("b").serialize(), "a=1,c=3")
    assert.strictEqual(state.unset("z"), state)
    assert.strictEqual(state.set("A", "1"), state)
    assert.strictEqual(state.set("a", "1,2"), state)
  })

  it("the right-most member makes room for the 33rd", () => {
    const changed = TraceState.parse(list(32))!.set("new", "1")
    assert.strictEqual(changed.serialize(), `new=1,${list(31)}`)
  })
})

describe("properties", () => {
  const Key = Schema.String.check(Schema.isPattern(/^[a-z0-9][a-z0-9_\-*/@]{0,20}$/))
  const Value = Schema.String.check(Schema.isPattern(/^[\x21-\x2b\x2d-\x3c\x3e-\x7e]{1,20}$/))
  const Members = Schema.Array(Schema.Tuple([Key, Value])).check(Schema.isMaxLength(8))

  it.prop("a valid list with keys of its own is carried unchanged", { members: Members }, ({ members }) => {
    const unique = [...new Map(members)]
    const header = unique.map(([key, value]) => `${key}=${value}`).join(",")
    assert.strictEqual(serialize(header), header === "" ? undefined : header)
  })

  it.prop("what comes out can be read again and is the same", { text: Schema.String }, ({ text }) => {
    const once = serialize(text)
    if (once !== undefined) assert.strictEqual(serialize(once), once)
  })

  it.prop(
    "arbitrary bytes never throw",
    { bytes: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))) },
    ({ bytes }) => {
      assert.isTrue((serialize(String.fromCharCode(...bytes)) ?? "").length <= TraceState.MAX_LENGTH)
    }
  )
})
