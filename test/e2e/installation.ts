/** claudemesh of another version, as an update leaves it: the same sources, another number in package.json. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { SOURCES } from "#install/stale.mjs";
import { ROOT } from "#test/house/sources.ts";

/** Answers the path of its launcher. */
export function installVersion(folder: string, version: string): string {
  const root = join(folder, `claudemesh-${version}`);
  mkdirSync(root);
  for (const name of [...SOURCES, "bin"]) {
    // The pinned Node under install/ is large, and reached by node_modules as well.
    cpSync(join(ROOT, name), join(root, name), {
      recursive: true,
      filter: (path) => basename(path) !== "node_modules",
    });
  }
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  writeFileSync(join(root, "package.json"), JSON.stringify({ ...manifest, version }));
  const { status, stderr } = spawnSync(process.execPath, ["install/build.mjs"], {
    cwd: root,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`claudemesh ${version} can't be built: ${stderr}`);
  return join(root, "bin", "claudemesh");
}
