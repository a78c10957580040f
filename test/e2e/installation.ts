/** Another installation of claudemesh: the same sources with something changed, built for itself. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { SOURCES } from "#install/stale.mjs";
import { ROOT } from "#test/house/sources.ts";

/** `change` is given the copy's folder. Answers the path of its launcher. */
export function installCopy(folder: string, name: string, change: (root: string) => void): string {
  const root = join(folder, `claudemesh-${name}`);
  mkdirSync(root);
  for (const part of [...SOURCES, "bin"]) {
    // The pinned Node under install/ is large, and reached by node_modules as well.
    cpSync(join(ROOT, part), join(root, part), {
      recursive: true,
      filter: (path) => basename(path) !== "node_modules",
    });
  }
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  change(root);
  const { status, stderr } = spawnSync(process.execPath, ["install/build.mjs"], {
    cwd: root,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`claudemesh ${name} can't be built: ${stderr}`);
  return join(root, "bin", "claudemesh");
}

/** As an update leaves it: another number in package.json. */
export function installVersion(folder: string, version: string): string {
  return installCopy(folder, version, (root) => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    writeFileSync(join(root, "package.json"), JSON.stringify({ ...manifest, version }));
  });
}
