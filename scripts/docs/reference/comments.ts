/** Reads doc comments: what they say, and their tags. */

/** A doc comment. */
export interface DocComment {
  /** All but the tags, as Markdown. */
  readonly text: string
  readonly tags: ReadonlyArray<Tag>
}

/** `@see https://…`: a name, and what stands behind it. */
export interface Tag {
  readonly name: string
  readonly text: string
}

const fence = /^\s*```/

/** The lines of a doc comment without what makes them a comment, split where tags begin. */
export const parseComment = (comment: string): DocComment => {
  const lines = comment
    .replace(/^\/?\*\*/, "")
    .replace(/\*\/$/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trimEnd())
  const text: Array<string> = []
  const tags: Array<{ name: string; text: string }> = []
  let isCode = false
  for (const line of lines) {
    const tag = isCode ? null : /^\s*@([a-z]+)\b ?(.*)$/.exec(line)
    if (fence.test(line)) isCode = !isCode
    if (tag !== null) tags.push({ name: tag[1]!, text: tag[2]! })
    else if (tags.length > 0) tags.at(-1)!.text += `\n${line}`
    // A doc comment cannot hold the end of a comment.
    else text.push(isCode ? line.replaceAll("*\\/", "*/") : line.trim() === "" ? "" : line)
  }
  return { text: text.join("\n").trim(), tags: tags.map(({ name, text }) => ({ name, text: text.trim() })) }
}

export const hasTag = (comment: DocComment | undefined, name: string): boolean =>
  comment?.tags.some((tag) => tag.name === name) ?? false

/** Changes what is prose of a Markdown text: neither blocks of code nor links that are there. */
export const mapProse = (text: string, change: (prose: string) => string): string =>
  text
    .split(/(^\s*```[\s\S]*?^\s*```\s*$|\[[^\]]*\]\([^)]*\))/m)
    .map((part, index) => (index % 2 === 1 ? part : change(part)))
    .join("")

/** The first sentence of a text, in one line. */
export const firstSentence = (text: string): string => {
  const paragraph = (text.split("\n\n")[0] ?? "").replaceAll("\n", " ")
  return /^.*?[.!?](?=\s|$)/.exec(paragraph)?.[0] ?? paragraph
}
