/** Links of the docs to lines of code: `[name](path#L12)` points at the definition of `name`. */

export const LINK = /\[([^\]]+)\]\(([^)\s]+)\)/g;

/** A definition of `name`: function, constant, method, type, or the entry of a table. */
export function definition(name: string): RegExp {
  return new RegExp(`(function |const |type |^\\s+(async )?)${name}\\b\\s*[(:=<{]`);
}

/** The page with the lines of today; a link to what isn't defined stays, for the test to find. */
export function relinked(page: string, read: (path: string) => string): string {
  return page.replace(LINK, (link, text: string, target: string) => {
    const [path = "", line] = target.split("#L");
    if (line === undefined) return link;
    const pattern = definition(text.replaceAll("`", ""));
    const lines = read(path).split("\n");
    if (pattern.test(lines[Number(line) - 1] ?? "")) return link;
    const found = lines.findIndex((one) => pattern.test(one));
    return found < 0 ? link : `[${text}](${path}#L${found + 1})`;
  });
}
