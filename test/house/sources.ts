// The files that the house rules are about.
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const NOT_OURS = ["node_modules", "dist", "coverage"];

/** Every file of the repository, as a path from its root; whether or not git knows it yet. */
export function sourceFiles(folder = ""): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder ? `${folder}/${entry.name}` : entry.name;
    if (entry.name.startsWith(".") || NOT_OURS.includes(entry.name)) return [];
    return entry.isDirectory() ? sourceFiles(path) : [path];
  });
}

export function isSource(path: string): boolean {
  return /\.(ts|mjs)$/.test(path);
}
