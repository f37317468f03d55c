/**
 * Reads what modules export from the declarations that the compiler emits: these have every type, also where a source leaves
 * it to be inferred. They are parsed by the parser of the bundler that the build uses.
 */
import { spawn } from "node:child_process"
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, normalize, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { parseSync } from "rolldown/utils"
import { type DocComment, hasTag, parseComment } from "./comments.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))

/** What a name stands for; the headings of a page. */
export type Kind =
  "service" | "layer" | "function" | "effect" | "reference" | "constant" | "schema" | "class" | "error" | "type"

/** A declaration with a name: all statements that declare it. */
export interface Declaration {
  readonly name: string
  readonly kind: Kind
  /** As the compiler shows it, not yet formatted. */
  readonly signature: string
  readonly comment: DocComment | undefined
}

/** Where a name comes from: `name` of the module at `path`, or a whole module. */
export interface Origin {
  /** A path of ours (`operation/RetryPolicy`), or a package's module (`npm:effect/Effect`). */
  readonly path: string
  /** Absent for a namespace. */
  readonly name?: string | undefined
}

/** A module, as it was written and as the compiler declares it. */
export interface Module {
  /** `operation/RetryPolicy`. */
  readonly path: string
  readonly comment: DocComment | undefined
  readonly declarations: ReadonlyMap<string, Declaration>
  /** What it exports, in order: its own name for it, or where it comes from. */
  readonly exports: ReadonlyMap<string, string | Origin>
  /** Modules whose exports are all its own too. */
  readonly stars: ReadonlyArray<string>
  /** What it imports, by its name for it. */
  readonly imports: ReadonlyMap<string, Origin>
}

// What the parser gives is ESTree, of which a few fields are read.
interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly [key: string]: any
}

interface Parsed {
  readonly text: string
  readonly body: ReadonlyArray<Node>
  readonly comments: ReadonlyArray<Node>
}

const parse = (file: string, text: string): Parsed => {
  const { comments, errors, program } = parseSync(file, text, { lang: file.endsWith(".d.ts") ? "dts" : "ts" })
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]!.message}`)
  return { text, body: program.body as never, comments: comments as never }
}

/** The doc comment right before a place. */
const commentBefore = ({ comments, text }: Parsed, at: number): Node | undefined => {
  const comment = comments.findLast(({ end }) => end <= at)
  return comment !== undefined &&
    comment["value"].startsWith("*") &&
    /^\s*$/.test(text.slice(comment.end, at)) &&
    // What stands above all is the module's.
    !(comment.start === 0 && isOfModule(text, comment))
    ? comment
    : undefined
}

/** A comment at the head of a file belongs to the module where no declaration follows at once. */
const isOfModule = (text: string, comment: Node): boolean =>
  /^(\s*\n\s*\n|\s*\/\*\*|\s*import\b|\s*export\s+(type\s+)?(\*|\{))/.test(text.slice(comment.end))

const docOf = (parsed: Parsed, at: number): DocComment | undefined => {
  const comment = commentBefore(parsed, at)
  return comment === undefined ? undefined : parseComment(comment["value"])
}

const moduleComment = (parsed: Parsed): DocComment | undefined => {
  const first = parsed.comments[0]
  return first?.start === 0 && first["value"].startsWith("*") && isOfModule(parsed.text, first)
    ? parseComment(first["value"])
    : undefined
}

/** Members of classes and interfaces that are no user's, with their comments. */
const hiddenMembers = (parsed: Parsed, node: unknown): ReadonlyArray<readonly [from: number, to: number]> => {
  if (Array.isArray(node)) return node.flatMap((child) => hiddenMembers(parsed, child))
  if (typeof node !== "object" || node === null) return []
  const { accessibility, end, key, start, type } = node as Node
  if (
    /^(TSPropertySignature|TSMethodSignature|PropertyDefinition|MethodDefinition|AccessorProperty)$/.test(type ?? "")
  ) {
    const comment = commentBefore(parsed, start)
    const isInternal = comment !== undefined && hasTag(parseComment(comment["value"]), "internal")
    if (isInternal || accessibility === "private" || key?.type === "PrivateIdentifier") {
      return [[comment?.start ?? start, end]]
    }
  }
  return Object.values(node).flatMap((child) => hiddenMembers(parsed, child))
}

/** A declaration's text: without members that are no user's, and types named as one would write them. */
const textOf = (parsed: Parsed, node: Node): string => {
  let text = ""
  let at = node.start
  for (const [from, to] of hiddenMembers(parsed, node)) {
    text += parsed.text.slice(at, from)
    at = to
  }
  return `${text}${parsed.text.slice(at, node.end)}`
    .replace(/import\("(?:effect|node:|@)[^"]*?(\w+)"\)\.(?=\w+\.?)/g, "$1.")
    .replace(/import\("[^"]+"\)\./g, "")
    .replace(/\{@link(?:code|plain)?\s+([^}|]+?)(?:\s*\|[^}]*)?\}/g, "`$1`")
}

const isLayer = (parsed: Parsed, type: Node | undefined): boolean =>
  type !== undefined && parsed.text.startsWith("Layer.Layer<", type.start)

const kindOfType = (type: Node | undefined, text: string): Kind => {
  if (text.startsWith("Layer.Layer<")) return "layer"
  if (type?.type === "TSFunctionType") return "function"
  if (text.startsWith("Context.Reference<")) return "reference"
  if (/^(Effect\.Effect|Stream\.Stream)</.test(text)) return "effect"
  if (/^Schema\.\w+</.test(text)) return "schema"
  const isCallable =
    type?.type === "TSTypeLiteral" && type["members"].some((m: Node) => m.type === "TSCallSignatureDeclaration")
  return isCallable ? "function" : "constant"
}

const kindOfClass = (heritage: string): Kind =>
  /Error\b/.test(heritage) ? "error" : /\bContext\.(Service|Tag)\b/.test(heritage) ? "service" : "class"

/** What each class of a source extends, as it is written: the compiler gives it a name without meaning. */
const heritages = (source: Parsed): ReadonlyMap<string, string> =>
  new Map(
    source.body
      .map((node) => node["declaration"] ?? node)
      .filter((node) => node.type === "ClassDeclaration" && node.superClass !== null)
      .map((node) => [
        node.id.name,
        source.text.slice(node.superClass.start, (node.superTypeArguments ?? node.superClass).end)
      ])
  )

interface Statement extends Declaration {
  readonly isValue: boolean
}

/** What a statement declares. */
const declared = (parsed: Parsed, statement: Node, bases: ReadonlyMap<string, string>): ReadonlyArray<Statement> => {
  const node: Node = statement["declaration"] ?? statement
  const comment = docOf(parsed, statement.start)
  const strip = (text: string) => text.replace(/^(export )?(declare )?/, "")
  const signature = strip(textOf(parsed, node))
  switch (node.type) {
    case "VariableDeclaration":
      return node["declarations"].map((declarator: Node): Statement => {
        const annotation: Node | undefined = declarator["id"].typeAnnotation?.typeAnnotation
        const type = annotation === undefined ? "" : parsed.text.slice(annotation.start, annotation.end)
        const text = node["declarations"].length === 1 ? signature : `const ${textOf(parsed, declarator)}`
        const returned = annotation?.type === "TSFunctionType" ? annotation["returnType"].typeAnnotation : undefined
        const kind = isLayer(parsed, returned) ? "layer" : kindOfType(annotation, type)
        return { name: declarator["id"].name, kind, signature: text, comment, isValue: true }
      })
    case "TSDeclareFunction":
    case "FunctionDeclaration": {
      const kind = isLayer(parsed, node["returnType"]?.typeAnnotation) ? "layer" : "function"
      return [{ name: node["id"].name, kind, signature, comment, isValue: true }]
    }
    case "ClassDeclaration": {
      const name: string = node["id"].name
      const heritage = bases.get(name)
      const text =
        heritage === undefined
          ? signature
          : `${strip(parsed.text.slice(node.start, node["superClass"].start))}${heritage} ${textOf(parsed, node["body"])}`
      return [
        { name, kind: kindOfClass(heritage ?? signature.split("{")[0]!), signature: text, comment, isValue: true }
      ]
    }
    case "TSInterfaceDeclaration":
    case "TSTypeAliasDeclaration":
    case "TSModuleDeclaration":
    case "TSEnumDeclaration":
      return node["id"].type === "Identifier"
        ? [{ name: node["id"].name, kind: "type", signature, comment, isValue: false }]
        : []
    default:
      return []
  }
}

/** One name's statements as one declaration. */
const merged = (statements: ReadonlyArray<Statement>): Declaration => ({
  name: statements[0]!.name,
  kind: (statements.find(({ isValue }) => isValue) ?? statements[0]!).kind,
  signature: statements.map(({ signature }) => signature).join("\n"),
  comment: statements.find(({ comment }) => comment !== undefined)?.comment
})

const resolve = (from: string, specifier: string): string =>
  specifier.startsWith(".")
    ? normalize(join(dirname(from), specifier))
        .split(sep)
        .join("/")
        .replace(/\.ts$/, "")
    : `npm:${specifier}`

export const isForeign = (origin: Origin): boolean => origin.path.startsWith("npm:")

const nameOf = (node: Node): string => node["name"] ?? node["value"]

const readModule = (path: string, source: Parsed, parsed: Parsed): Module => {
  const statements = new Map<string, Array<Statement>>()
  const exports = new Map<string, string | Origin>()
  const stars: Array<string> = []
  const imports = new Map<string, Origin>()
  const bases = heritages(source)

  for (const node of source.body.filter(({ type }) => type === "ImportDeclaration")) {
    const from: string = node["source"].value
    for (const specifier of node["specifiers"]) {
      const name = specifier.type === "ImportSpecifier" ? nameOf(specifier.imported) : undefined
      imports.set(nameOf(specifier.local), { path: resolve(path, from), name })
    }
  }
  for (const node of parsed.body) {
    if (node.type === "ExportAllDeclaration") {
      const target = resolve(path, node["source"].value)
      if (node["exported"] === null) stars.push(target)
      else exports.set(nameOf(node["exported"]), { path: target })
      continue
    }
    for (const statement of declared(parsed, node, bases)) {
      statements.set(statement.name, [...(statements.get(statement.name) ?? []), statement])
      if (node.type === "ExportNamedDeclaration") exports.set(statement.name, statement.name)
    }
    if (node.type !== "ExportNamedDeclaration") continue
    for (const specifier of node["specifiers"] ?? []) {
      const local = nameOf(specifier.local)
      const name = nameOf(specifier.exported)
      if (node["source"] !== null) exports.set(name, { path: resolve(path, node["source"].value), name: local })
      else if (imports.get(local) !== undefined) exports.set(name, imports.get(local)!)
      else {
        exports.set(name, local)
        const comment = docOf(parsed, specifier.start)
        const known = statements.get(local)
        if (comment !== undefined && known !== undefined) known[0] = { ...known[0]!, comment }
      }
    }
  }
  const declarations = new Map([...statements].map(([name, all]) => [name, merged(all)]))
  return { path, comment: moduleComment(source), declarations, exports, stars, imports }
}

const emit = (folder: string): Promise<void> =>
  new Promise((done, fail) => {
    const options = ["--emitDeclarationOnly", "--noCheck", "--declarationMap", "false", "--sourceMap", "false"]
    const args = ["-p", "tsconfig.build.json", ...options, "--outDir", folder]
    const child = spawn(join(root, "node_modules/.bin/tsc"), args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] })
    let output = ""
    child.stdout.setEncoding("utf8").on("data", (data: string) => (output += data))
    child.on("error", fail)
    child.on("close", (code) => {
      if (code === 0) done()
      else fail(new Error(`the compiler makes no declarations:\n${output}`))
    })
  })

/** Every module of `src`, by its path. */
export const readModules = async (): Promise<ReadonlyMap<string, Module>> => {
  const folder = mkdtempSync(join(tmpdir(), "effect-telemetry-reference-"))
  try {
    await emit(folder)
    const modules = new Map<string, Module>()
    for (const file of globSync("**/*.d.ts", { cwd: folder }).sort()) {
      const path = file.slice(0, -".d.ts".length).split(sep).join("/")
      const source = parse(`${path}.ts`, readFileSync(join(root, "src", `${path}.ts`), "utf8"))
      modules.set(path, readModule(path, source, parse(file, readFileSync(join(folder, file), "utf8"))))
    }
    return modules
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
