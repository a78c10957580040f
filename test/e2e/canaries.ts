/** Looking for what must not be there, in whatever form it might be there. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The word itself and what base64 and hex make of it, at each place in a group of three bytes. */
export function disguises(word: string | Uint8Array): Buffer[] {
  const bytes = Buffer.from(word);
  const base64 = [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64");
    const inner = text.slice(shift === 0 ? 0 : 4, -4);
    return [inner, inner.replaceAll("+", "-").replaceAll("/", "_")];
  });
  return [bytes, ...[bytes.toString("hex"), ...base64].map((text) => Buffer.from(text))];
}

export type Place = { path: string; bytes: Buffer };

export function filesUnder(folder: string): Place[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, bytes: readFileSync(path) }));
}

/** What everybody on the machine, or its owner, can see of a process; nothing where the system doesn't tell (no /proc). */
export function processFiles(pid: number): Place[] {
  return ["cmdline", "environ"].flatMap((name) => {
    const path = `/proc/${pid}/${name}`;
    try {
      return [{ path, bytes: readFileSync(path) }];
    } catch {
      return [];
    }
  });
}

/** "what in path" of each secret that stands in one of the places. */
export function found(
  secrets: Readonly<Record<string, string | Uint8Array>>,
  places: readonly Place[],
): string[] {
  return Object.entries(secrets).flatMap(([what, secret]) => {
    const looks = disguises(secret);
    return places
      .filter(({ bytes }) => looks.some((look) => bytes.includes(look)))
      .map(({ path }) => `${what} in ${path}`);
  });
}
