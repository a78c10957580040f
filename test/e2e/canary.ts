/** Looking for what must not be somewhere. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** The words themselves, and what hex and base64 make of them, at each place in a group of three bytes. */
export function disguises(word: string | Uint8Array): (string | Buffer)[] {
  const bytes = typeof word === "string" ? Buffer.from(word) : Buffer.from(word);
  const base64 = [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift, "x"), bytes]).toString("base64");
    const inner = text.slice(shift === 0 ? 0 : 4, -4);
    return [inner, inner.replaceAll("+", "-").replaceAll("/", "_")];
  });
  return [bytes, bytes.toString("hex"), ...base64];
}

/** The files that have one of the words in them, in whatever disguise. */
export function canaries(files: readonly string[], words: readonly (string | Uint8Array)[]): string[] {
  const looks = words.flatMap(disguises);
  return files.filter((path) => {
    const bytes = readFileSync(path);
    return looks.some((look) => bytes.includes(look));
  });
}

/** The same, of words that have names: "what in path". */
export function found(
  words: Readonly<Record<string, string | Uint8Array>>,
  files: readonly string[],
): string[] {
  return Object.entries(words).flatMap(([what, word]) =>
    canaries(files, [word]).map((path) => `${what} in ${path}`),
  );
}

/** What others on the machine can see of a process; none where the system doesn't tell (no /proc). */
export function processFiles(pid: number): string[] {
  return ["cmdline", "environ"].map((name) => `/proc/${pid}/${name}`).filter((path) => existsSync(path));
}
