/**
 * Doc comments of the protocol's schemas, read out of their source: the schemas themselves are asked for shapes, and a
 * sentence isn't written a second time. By text, as TypeScript 7 has no stable API; biome keeps the layout that this expects.
 */

/** "message/to" → what stands above the key `to` in the constant `message`. */
export type Comments = ReadonlyMap<string, string>;

const CONSTANT = /^(?:export )?const (\w+)(?::[^=]*)? = /;
const KEY = /^(\s+)"?([\w.]+)"?(?:: |,$)/;

export function commentsOf(source: string): Comments {
  const found = new Map<string, string>();
  let open: { indent: number; path: string }[] = [];
  let pending: string[] = [];
  let isInside = false;
  for (const line of source.split("\n")) {
    const text = line.trim();
    if (isInside || text.startsWith("/**")) {
      if (!isInside) pending = [];
      pending.push(text.replace(/^(?:\/\*\*|\*\/|\*) ?/, "").replace(/ ?\*\/$/, ""));
      isInside = !text.endsWith("*/");
      continue;
    }
    const constant = CONSTANT.exec(line)?.[1];
    const [, space = "", key] = KEY.exec(line) ?? [];
    const indent = constant ? 0 : space.length;
    const name = constant ?? key;
    if (name !== undefined && !text.startsWith("//")) {
      open = open.filter((one) => one.indent < indent);
      const path = [open.at(-1)?.path, name].filter((part) => part !== undefined).join("/");
      open.push({ indent, path });
      const comment = pending.join(" ").trim();
      if (comment !== "") found.set(path, comment);
    }
    pending = [];
  }
  return found;
}

/** The rows of the table in the comment at a file's head. */
export function tableIn(source: string): string {
  const head = source.slice(0, source.indexOf("*/"));
  return [...head.matchAll(/^ \* (\|.*)$/gm)].map(([, row]) => row).join("\n");
}

/** Type declarations as they stand in the source, from the first that is named to before the text `until`. */
export function typesIn(source: string, first: string, until: string): string {
  return source.slice(source.indexOf(first), source.indexOf(until)).replaceAll("export ", "").trim();
}
