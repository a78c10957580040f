import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startChild } from "#test/child.ts";
import { lockFolder } from "./folder-lock.ts";

const HOLDER = `
  import { lockFolder } from "./adapters/folder-lock.ts";
  console.log(lockFolder(process.argv[1]) ? "locked" : "refused");
  setInterval(() => {}, 60_000);
`;

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claudemesh-lock-"));
  path = join(folder, "daemon.lock");
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test("a folder has one owner until it is released", () => {
  const release = lockFolder(path);
  expect(release).not.toBeNull();
  expect(lockFolder(path)).toBeNull();
  release?.();
  const again = lockFolder(path);
  expect(again).not.toBeNull();
  again?.();
});

test("a folder owned by another process is refused, and free once that was killed", async () => {
  const holder = startChild(HOLDER, path);
  expect((await holder.lines.next()).value).toBe("locked");
  expect(lockFolder(path)).toBeNull();
  await holder.kill();
  const release = lockFolder(path);
  expect(release).not.toBeNull();
  release?.();
});

test("a folder that isn't there is an error, not a refusal", () => {
  expect(() => lockFolder(join(folder, "missing", "daemon.lock"))).toThrow();
});
