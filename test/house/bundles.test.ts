// What is inside the bundles, as their build has written it down.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ROOT } from "./sources.ts";

/** What would make every verb slower to start, or has no business there: the CLI only opens a socket and prints. */
const NOT_IN_THE_CLI = [
  "zod",
  "ws",
  "better-sqlite3",
  "tweetnacl",
  "@noble/hashes",
  "pino",
  "hono",
  "yargs",
  "jsonc-parser",
];

test("the sources can be bundled", () => {
  const { status, stderr } = spawnSync(process.execPath, ["install/build.mjs"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

test("the verbs' bundle holds no schema library, database, socket library or cipher", () => {
  const packages = packagesIn("meta-cli.json");
  expect(packages.filter((name) => NOT_IN_THE_CLI.includes(name))).toEqual([]);
});

test("what install needs is in a bundle of its own, which the verbs' loads", () => {
  expect(packagesIn("meta-install.json")).toEqual(["jsonc-parser"]);
  expect(readFileSync(`${ROOT}/dist/cli.cjs`, "utf8")).toContain('import("./install.cjs")');
});

test("a bundle that starts quickly takes the launcher's cache folder out of its environment", () => {
  for (const bundle of ["cli.cjs", "install.cjs", "adapter.cjs", "hook.cjs"]) {
    expect(readFileSync(`${ROOT}/dist/${bundle}`, "utf8")).toMatch(
      /^delete process\.env\.NODE_COMPILE_CACHE;/,
    );
  }
});

test("the list of packages is read right: the broker's has its sockets in it", () => {
  expect(packagesIn("meta-broker.json")).toContain("ws");
});

function packagesIn(metafile: string): string[] {
  const { inputs } = JSON.parse(readFileSync(`${ROOT}/dist/${metafile}`, "utf8")) as { inputs: object };
  const names = Object.keys(inputs).map((path) => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))];
}
