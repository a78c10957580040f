/** A disk so small that a test can fill it, and make it larger again. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export type SmallDisk = { path: string; grow(mib: number): void };

/** Null where this user may not mount. It goes with the test, after what runs on it. */
export function mountSmallDisk(mib: number): SmallDisk | null {
  const path = mkdtempSync(join(tmpdir(), "small-disk-"));
  const mount = (...options: string[]) =>
    spawnSync("mount", ["-t", "tmpfs", "-o", options.join(","), "tmpfs", path]).status === 0;
  const isMounted = mount(`size=${mib}m`, "mode=700");
  onTestFinished(() => {
    if (isMounted) spawnSync("umount", ["--lazy", path]);
    rmSync(path, { recursive: true, force: true });
  });
  if (!isMounted) return null;
  return {
    path,
    grow(to) {
      if (!mount("remount", `size=${to}m`)) throw new Error("the disk can't be made larger");
    },
  };
}
