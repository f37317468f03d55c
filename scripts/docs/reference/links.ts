/** Cross references: from the names that comments use to the places where they are documented. */
import { mapProse } from "./comments.ts"
import { isForeign, type Module, type Origin } from "./declarations.ts"
import type { PublicModule } from "./surface.ts"

/** GitHub's name for a heading. */
export const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(" ", "-")

/** The heading of each export of a module; names that differ only by case have their kind beside them. */
export const headings = (shown: PublicModule, taken: Iterable<string>): ReadonlyMap<string, string> => {
  const used = new Set([...taken].map(slug))
  return new Map(
    shown.entries.map(({ declaration, name }) => {
      const heading = used.has(slug(name)) ? `\`${name}\` (${declaration.kind})` : `\`${name}\``
      used.add(slug(heading))
      return [name, heading]
    })
  )
}

/** Where a name leads to: a page, and a heading in it. */
interface Place {
  readonly page: string
  readonly heading?: string | undefined
}

export interface Links {
  /** Makes links of `{@link X}` and of names in code, for a comment that stands in a module's file. */
  readonly text: (
    text: string,
    at: { readonly page: PublicModule; readonly path: string; readonly self?: string }
  ) => string
  /** A link to what is declared elsewhere. */
  readonly to: (origin: Origin) => string
  /** References that lead nowhere. */
  readonly broken: ReadonlyArray<string>
}

export const makeLinks = (
  modules: ReadonlyMap<string, Module>,
  shown: ReadonlyArray<PublicModule>,
  headingsOf: (page: PublicModule) => ReadonlyMap<string, string>
): Links => {
  const broken: Array<string> = []
  const byPath = new Map(shown.map((page) => [page.module.path, page]))
  const bySpecifier = new Map(shown.map((page) => [page.specifier, page]))
  const byName = new Map(shown.map((page) => [page.page, page]))
  // What a module that is not public declares is documented by one that exports it.
  const homes = new Map<string, Place>()
  for (const page of shown) {
    for (const { declaration, name, path } of page.entries) {
      const key = `${path}#${declaration.name}`
      if (path === page.module.path || !homes.has(key)) {
        homes.set(key, { page: page.page, heading: headingsOf(page).get(name) })
      }
    }
  }
  const placeIn = (page: PublicModule | undefined, name: string): Place | undefined => {
    if (page === undefined) return undefined
    const heading = headingsOf(page).get(name)
    if (heading !== undefined) return { page: page.page, heading }
    const origin = page.elsewhere.get(name)
    return origin === undefined ? undefined : placeOf(origin)
  }
  const placeOf = ({ name, path }: Origin): Place | undefined => {
    if (name !== undefined) return homes.get(`${path}#${modules.get(path)?.exports.get(name) ?? name}`)
    const page = byPath.get(path)
    return page === undefined ? undefined : { page: page.page }
  }
  /** What a name means where it stands: what its file declares or imports comes first, then the page's, then a module's. */
  const find = (text: string, page: PublicModule, path: string): Place | undefined => {
    const bySpec = bySpecifier.get(text)
    if (bySpec !== undefined) return { page: bySpec.page }
    const [first, second] = text.split(".") as [string, string?]
    const origin = modules.get(path)?.imports.get(first)
    if (origin !== undefined) {
      if (isForeign(origin)) return undefined
      if (origin.name !== undefined || second === undefined) return placeOf(origin)
      return placeOf({ path: origin.path, name: second }) ?? placeIn(byPath.get(origin.path), second)
    }
    const own = second !== undefined && first === page.page ? placeIn(page, second) : undefined
    if (own !== undefined) return own
    const here = homes.get(`${path}#${first}`) ?? placeIn(page, first)
    if (here !== undefined) return here
    return second === undefined ? undefined : placeIn(byName.get(first), second)
  }
  const linkTo = (place: Place, label: string, page: string | undefined): string => {
    const anchor = place.heading === undefined ? "" : `#${slug(place.heading)}`
    return `[${label}](${place.page === page && anchor !== "" ? "" : `${place.page}.md`}${anchor})`
  }
  return {
    broken,
    text: (text, { page, path, self }) => {
      const explicit = text.replace(
        /\{@link(?:code|plain)?\s+([^}|\s]+)(?:\s*\|\s*([^}]*)|\s+([^}]*))?\}/g,
        (_, target: string, ...labels: ReadonlyArray<string | undefined>) => {
          const label =
            labels
              .slice(0, 2)
              .find((label) => label !== undefined)
              ?.trim() ?? `\`${target}\``
          if (/^https?:/.test(target)) return `[${label === `\`${target}\`` ? target : label}](${target})`
          const place = find(target, page, path)
          if (place === undefined) broken.push(`src/${path}.ts: {@link ${target}} leads nowhere`)
          return place === undefined ? label : linkTo(place, label, page.page)
        }
      )
      return mapProse(explicit, (prose) =>
        prose.replace(/`(effect-telemetry\/[\w/]+|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)`/g, (code, name: string) => {
          // A word in small letters may be a value as well as a name.
          if (name === self || /^[a-z]+$/.test(name)) return code
          const place = find(name, page, path)
          if (place === undefined || (place.page === page.page && place.heading === undefined)) return code
          return linkTo(place, code, page.page)
        })
      )
    },
    to: (origin) => {
      if (isForeign(origin)) return `\`${origin.name ?? "*"}\` of \`${origin.path.slice("npm:".length)}\``
      const name = origin.name ?? byPath.get(origin.path)?.page ?? origin.path
      const place = placeOf(origin)
      if (place === undefined) throw new Error(`${origin.path} ${origin.name ?? ""} has no page`)
      return linkTo(place, `\`${name}\``, undefined)
    }
  }
}
