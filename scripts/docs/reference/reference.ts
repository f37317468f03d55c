/** Makes the pages of `docs/reference` from the doc comments: one for each public module, and their index. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Manifest } from "../../package/contents.ts"
import { readModules } from "./declarations.ts"
import { headings, makeLinks } from "./links.ts"
import { grouped, indexPage, modulePage } from "./pages.ts"
import { type PublicModule, surface } from "./surface.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))

/** Where the pages stand. */
export const folder = "docs/reference"

export interface Reference {
  readonly modules: ReadonlyArray<PublicModule>
  readonly files: ReadonlyArray<{ readonly file: string; readonly content: string }>
  /** References in comments that lead nowhere. */
  readonly broken: ReadonlyArray<string>
}

export const reference = async (): Promise<Reference> => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest
  const all = await readModules()
  const modules = surface(all, manifest)
  const names = new Map(
    modules.map((page) => [page, headings(page, [page.specifier, ...grouped(page).map(([title]) => title)])])
  )
  const headingsOf = (page: PublicModule): ReadonlyMap<string, string> => names.get(page)!
  const links = makeLinks(all, modules, headingsOf)
  const files = [{ file: `${folder}/README.md`, content: await indexPage(modules) }]
  for (const page of modules) {
    const content = await modulePage(page, manifest.name, links, headingsOf(page), modules)
    files.push({ file: `${folder}/${page.page}.md`, content })
  }
  const twice = files.find(
    ({ file }, at) => files.findIndex((other) => other.file.toLowerCase() === file.toLowerCase()) !== at
  )
  if (twice !== undefined) throw new Error(`two modules would have the page ${twice.file}`)
  return { modules, files, broken: links.broken }
}
