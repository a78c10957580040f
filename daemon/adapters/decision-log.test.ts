import { appendFileSync, lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Decision } from "#protocol/features/approval.ts";
import { openDecisionLog } from "./decision-log.ts";

function place(): string {
  const folder = mkdtempSync(join(tmpdir(), "decisions-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "logs", "decisions.jsonl");
}

const numbered = (n: number): Decision => ({
  at: new Date(1_790_000_000_000 + n).toISOString(),
  who: "session",
  session: `s-${n}`,
  method: "invite.create",
  scope: "reach-out",
  workspace: "acme",
  approval: null,
  decision: "denied",
  by: "desk",
  reason: null,
});

test("what was decided is in a file of one's own, and is there after a restart, behind a line cut by a crash", () => {
  const path = place();
  const log = openDecisionLog(path);
  for (const n of [1, 2, 3]) log.append(numbered(n));
  expect(lstatSync(path).mode & 0o777).toBe(0o600);
  appendFileSync(path, '{"at":"20\n');
  const again = openDecisionLog(path);
  again.append(numbered(4));
  expect(again.newest(10)).toEqual([1, 2, 3, 4].map(numbered));
  expect(again.newest(2)).toEqual([3, 4].map(numbered));
});

test("the files are bounded, and what is recent is read across them", () => {
  const path = place();
  const log = openDecisionLog(path, { maxBytes: 1000, files: 3 });
  for (let n = 1; n <= 50; n++) log.append(numbered(n));
  expect(readdirSync(join(path, "..")).toSorted()).toEqual([
    "decisions.jsonl",
    "decisions.jsonl.1",
    "decisions.jsonl.2",
  ]);
  expect(log.newest(6)).toEqual([45, 46, 47, 48, 49, 50].map(numbered));
});

test("what can't be written down is said to be so", () => {
  const path = place();
  const log = openDecisionLog(path, { maxBytes: 1000 });
  expect(log.append(numbered(1))).toBe(true);
  rmSync(join(path, ".."), { recursive: true });
  const written = Array.from({ length: 20 }, (_, n) => log.append(numbered(n)));
  expect(written.at(-1)).toBe(false);
});
