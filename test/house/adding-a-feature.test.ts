// docs/adding-a-feature.md by its word: its files and lines in a copy of the sources, compiled, built and used by two people.
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { installCopy } from "../e2e/installation.ts";
import { personAt } from "../e2e/person.ts";
import { eventually } from "../e2e/waiting.ts";
import { createWorld } from "../e2e/world.ts";
import { ROOT } from "./sources.ts";

type Step = { file: string; place: string | null; code: string; isInstead: boolean };

/** "A new file, `F`:", "In `F`, before `LINE`:" and "In `F`, instead of `TEXT`:", each with the code behind it. */
function stepsOf(page: string): Step[] {
  const steps = page.matchAll(
    /^(?:A new file, `(?<made>[^`]+)`|In `(?<file>[^`]+)`, (?<how>before|instead of) `(?<place>[^`]+)`):\n\n```ts\n(?<code>[\s\S]*?)```/gm,
  );
  return Array.from(steps, ({ groups = {} }) => ({
    file: groups.made ?? groups.file ?? "",
    place: groups.place ?? null,
    code: groups.code ?? "",
    isInstead: groups.how === "instead of",
  }));
}

function take(root: string, { file, place, code, isInstead }: Step): void {
  const path = join(root, file);
  const before = place === null ? "" : readFileSync(path, "utf8");
  if (place === null) writeFileSync(path, code);
  if (place === null) return;
  if (before.split(place).length !== 2) throw new Error(`${file} has not one "${place}"`);
  writeFileSync(
    path,
    before.replace(place, () => (isInstead ? code.trimEnd() : code + place)),
  );
}

test("the counter of the page compiles, and two people who count at once both count", async () => {
  const steps = stepsOf(readFileSync(join(ROOT, "docs/adding-a-feature.md"), "utf8"));
  expect(steps.filter(({ place }) => place === null).map(({ file }) => file)).toEqual([
    "protocol/features/counter.ts",
    "sdk/features/counter.ts",
    "cli/verbs/counter.ts",
  ]);
  const world = createWorld();
  let compiled = "";
  const launcher = installCopy(world.folder, "with-counters", (root) => {
    for (const step of steps) take(root, step);
    cpSync(join(ROOT, "tsconfig.json"), join(root, "tsconfig.json"));
    const tsc = spawnSync("tsc", ["-p", "."], { cwd: root, encoding: "utf8" });
    // Tests have come along without what they import from test/.
    const isOurs = (line: string) => line !== "" && !/^ |\.(test|suite)\.ts/.test(line);
    compiled = tsc.stdout.split("\n").filter(isOurs).join("\n");
  });
  expect(compiled).toBe("");

  const broker = await world.broker();
  const people = ["alice", "bob"].map((name) => personAt(join(world.folder, name), world.folder, launcher));
  const [alice, bob] = people;
  if (!alice || !bob) throw new Error("there are two");
  for (const [i, one] of people.entries()) {
    await one.ok("up", "--name", i === 0 ? "alice" : "bob", "--broker", broker.url, "--no-broker");
  }
  await world.team(alice, bob);
  const counted = people.flatMap((one) =>
    Array.from({ length: 5 }, () => one.ok("counter", "add", "builds", "--workspace", "acme")),
  );
  await Promise.all(counted);
  for (const one of people) {
    const shows = async () => (await one.ok("counter", "show", "builds", "--workspace", "acme")).value === 10;
    await eventually(shows, "all that was counted");
  }
  await alice.ok("down");
  await bob.ok("down");
});
