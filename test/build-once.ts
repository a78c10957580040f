// Before the first test: dist/ is made once, not by each test that starts a process.
import { spawnSync } from "node:child_process";

export function setup(): void {
  // A part that does not bundle must not keep the others' tests from running: test/house/bundles.test.ts fails for it.
  spawnSync(process.execPath, ["install/build.mjs"], { stdio: "inherit" });
}
