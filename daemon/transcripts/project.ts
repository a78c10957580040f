/** A session's folder: paths in it are told from there on, those outside of it not at all. */

export const OUTSIDE = "[outside]";

/** Say nothing of anybody's machine. */
const ANYWHERE = new Set(["/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr"]);

const END = "\\s'\"`;|&<>()";
const REST = `(?:\\\\.|[^${END}\\\\:,])*`;
const HOME = "(?:~[\\w.-]*|\\$\\{?HOME\\}?)";
const TOKEN_START = `(?<![^${END}=:,])`;

/** In quotes, a path may have blanks in it. */
const QUOTED = new RegExp(`(["'])((?:${HOME})?\\/(?!\\/)[^"'\\n]*|\\.\\.\\/[^"'\\n]*)\\1`, "g");
const BARE = new RegExp(
  [
    `file:\\/\\/${REST}`,
    `(?<![\\w@/.~-])(?:${HOME})?\\/(?!\\/)${REST}`,
    `${TOKEN_START}${HOME}(?=[${END}]|$)`,
    `(?<![\\w])[A-Za-z]:\\\\[^${END}]*`,
    `${TOKEN_START}(?:[\\w.@+-]{1,100}\\/){0,30}?\\.\\.(?:\\/${REST})?(?=[${END}:,]|$)`,
  ].join("|"),
  "g",
);

export type Project = {
  /** From the folder on; null for what lies outside of it. */
  inside(path: string, cwd: string): string | null;
  /** The same for every path that words have in them. */
  shown(text: string, cwd: string): string;
};

/** Null root: nothing is inside. */
export function projectAt(root: string | null): Project {
  const top = root === null ? null : partsOf(root, "/");

  const inside = (path: string, cwd: string): string | null => {
    const parts = partsOf(path, cwd);
    if (!parts || !top || top.some((part, i) => parts[i] !== part)) return null;
    return parts.slice(top.length).join("/") || ".";
  };

  return {
    inside,
    shown(text, cwd) {
      const replaced = (path: string) => (ANYWHERE.has(path) ? path : (inside(path, cwd) ?? OUTSIDE));
      return text
        .replace(QUOTED, (_, quote: string, path: string) => `${quote}${replaced(path)}${quote}`)
        .replace(BARE, replaced);
    },
  };
}

/** Null for what can't be told from here: somebody's home. */
function partsOf(path: string, cwd: string): string[] | null {
  const plain = path.replace(/^file:\/\//, "").replace(/\\(?=[\s'"()])/g, "");
  if (/^[~$]/.test(plain)) return null;
  const whole = /^([A-Za-z]:)?[\\/]/.test(plain) ? plain : `${cwd}/${plain}`;
  const parts: string[] = [];
  for (const part of whole.split(/[\\/]+/)) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts;
}
