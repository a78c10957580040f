/** Generated parts of a page that is written by hand around them: `<!-- generated: NAME -->` … `<!-- end -->`. */

/** Name → text, without the marks. */
export type Blocks = Readonly<Record<string, () => string>>;

const BLOCK = /<!-- generated: ([\w -]+) -->\n[\s\S]*?<!-- end -->/g;

/** The page with each block made anew. @throws Error for a block that nobody makes, or one that the page leaves out */
export function refreshed(page: string, blocks: Blocks): string {
  const seen = new Set<string>();
  const text = page.replace(BLOCK, (_, name: string) => {
    const make = blocks[name];
    if (!make) throw new Error(`nobody makes the block "${name}"`);
    seen.add(name);
    return `<!-- generated: ${name} -->\n\n${make().trim()}\n\n<!-- end -->`;
  });
  const missing = Object.keys(blocks).filter((name) => !seen.has(name));
  if (missing.length > 0) throw new Error(`the page has no place for ${missing.join(", ")}`);
  return text;
}

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---|").join("")}`, ...rows.map(line)].join("\n");
}
