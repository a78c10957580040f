// The lock of set-up and build, with real processes that really die.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withLock } from "#install/lock.mjs";
import { ROOT } from "./sources.ts";

let folder: string;
let lock: string;
let log: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claudemesh-lock-"));
  lock = join(folder, "lock");
  log = join(folder, "log");
  writeFileSync(log, "");
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A process that takes the lock, writes "in", runs `body` and writes "out". */
function holder(body: string) {
  const script = `
    import { appendFileSync } from "node:fs";
    import { withLock } from ${JSON.stringify(`${ROOT}/install/lock.mjs`)};
    await withLock(${JSON.stringify(lock)}, async () => {
      appendFileSync(${JSON.stringify(log)}, "in ");
      ${body}
      appendFileSync(${JSON.stringify(log)}, "out ");
    });`;
  return spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "ignore", "inherit"],
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const logged = () => readFileSync(log, "utf8");

test("of many processes at once, one after the other is inside", async () => {
  const processes = Array.from({ length: 8 }, () => holder("await new Promise((r) => setTimeout(r, 20));"));
  await Promise.all(processes.map((child) => once(child, "exit")));
  expect(logged()).toBe("in out ".repeat(8));
});

test("a holder that was killed is succeeded at once, by one of those who wait", async () => {
  const victim = holder("await new Promise((r) => setTimeout(r, 60_000));");
  await until(() => logged() === "in ");
  const waiting = Array.from({ length: 4 }, () => holder("await new Promise((r) => setTimeout(r, 20));"));
  victim.kill("SIGKILL");
  await Promise.all(waiting.map((child) => once(child, "exit")));
  expect(logged()).toBe(`in ${"in out ".repeat(4)}`);
});

test("a holder's pid that another process has got meanwhile does not count as alive", async () => {
  await withLock(lock, () => undefined);
  writeFileSync(join(lock, "lock-2"), `${process.pid} 1`);
  await withLock(lock, () => appendFileSync(log, "in "), { waitMs: 1000 });
  expect(logged()).toBe("in ");
});

test("the wait ends, and says for whom it was", async () => {
  const waits: number[] = [];
  const held = withLock(lock, async () => {
    await expect(
      withLock(lock, () => undefined, { waitMs: 50, onWait: (pid) => waits.push(pid) }),
    ).rejects.toThrow(`process ${process.pid}`);
  });
  await held;
  expect(waits).toEqual([process.pid]);
});

test("what fails inside frees the lock, and nothing piles up", async () => {
  await expect(withLock(lock, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  for (let i = 0; i < 5; i++) await withLock(lock, () => undefined);
  expect(readdirSync(lock)).toEqual(["lock-6"]);
});
