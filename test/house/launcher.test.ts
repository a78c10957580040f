// bin/claudemesh in a scratch folder: small sources, tiny bundles that print what they are given, and a set-up and build
// that only say that they were called.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isStale, SOURCES } from "#install/stale.mjs";
import { ROOT } from "./sources.ts";

const HOUR_AGO = new Date(Date.now() - 3_600_000);
const BUILT = new Date(Date.now() - 1_800_000);
const NEWER = new Date(Date.now() - 60_000);

const FILES: Record<string, string> = {
  "protocol/ids.ts": "",
  "sdk/features/task.ts": "",
  "adapters/sqlite.ts": "",
  "broker/adapters/ws.ts": "",
  "daemon/main.ts": "",
  "cli/verbs/task.ts": "",
  "mcp-adapter/main.ts": "",
  "install/runtime/package.json": "{}",
  "install/setup.mjs": 'console.error("set-up");',
  "install/build.mjs": `
    import { writeFileSync } from "node:fs";
    console.error("build");
    if (process.env.BUILD_FAILS) process.exit(3);
    writeFileSync(new URL("../dist/stamp", import.meta.url), "");`,
  "package.json": "{}",
  "package-lock.json": "{}",
  "dist/cli.cjs": 'console.log("cli", JSON.stringify(process.argv.slice(2)), process.cwd());',
  "dist/adapter.cjs": 'console.log("adapter");',
  "dist/broker.mjs": 'console.log("broker", JSON.stringify(process.argv.slice(2)));',
  "dist/daemon.mjs": 'console.log("daemon");',
  "dist/stamp": "",
};

let scratch: string;
let root: string;

beforeEach(() => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), "claudemesh-bin-")));
  root = join(scratch, "a clone"); // the space is on purpose
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  mkdirSync(join(root, "bin"));
  cpSync(join(ROOT, "bin/claudemesh"), join(root, "bin/claudemesh"));
  mkdirSync(join(root, "node_modules/.bin"), { recursive: true });
  symlinkSync(process.execPath, join(root, "node_modules/.bin/node"));
  for (const path of ["package.json", "package-lock.json"]) utimesSync(join(root, path), HOUR_AGO, HOUR_AGO);
  for (const path of Object.keys(FILES)) {
    for (let at = path; at !== "."; at = dirname(at)) utimesSync(join(root, at), HOUR_AGO, HOUR_AGO);
  }
  utimesSync(join(root, "dist/stamp"), BUILT, BUILT);
});

afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

function launch(args: string[] = [], { bin = join(root, "bin/claudemesh"), env = {}, cwd = scratch } = {}) {
  const { status, stdout, stderr } = spawnSync(bin, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

const touch = (path: string) => utimesSync(join(root, path), NEWER, NEWER);

describe("a fresh dist/", () => {
  test("is started as it is, with the arguments untouched and in the caller's folder", () => {
    const args = ["say", "two words", "", "*", "$HOME"];
    expect(launch(args)).toEqual({
      status: 0,
      stdout: `cli ${JSON.stringify(args)} ${scratch}\n`,
      stderr: "",
    });
  });

  test.each([
    ["mcp-serve", "adapter"],
    ["broker", "broker"],
    ["__daemon", "daemon"],
    ["peers", "cli"],
  ])("%s starts the %s", (verb, entry) => {
    expect(launch([verb]).stdout.split(/\s/)[0]).toBe(entry);
  });

  test("is found through links, absolute and relative, and from its own folder", () => {
    symlinkSync(join(root, "bin/claudemesh"), join(scratch, "first"));
    symlinkSync("./first", join(scratch, "second"));
    expect(launch([], { bin: join(scratch, "second") }).stdout).toBe(`cli [] ${scratch}\n`);
    expect(launch([], { bin: "./claudemesh", cwd: join(root, "bin") }).stdout).toBe(`cli [] ${root}/bin\n`);
  });

  test("needs no sources: a package from the registry has none", () => {
    for (const part of SOURCES) rmSync(join(root, part), { recursive: true });
    rmSync(join(root, "node_modules"), { recursive: true });
    const env = { PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
    expect(launch(["peers"], { env })).toEqual({
      status: 0,
      stdout: `cli ["peers"] ${scratch}\n`,
      stderr: "",
    });
  });
});

describe("what makes dist/ stale", () => {
  test.each([
    ["an edited file", () => touch("protocol/ids.ts")],
    ["an edited file in a feature's folder", () => touch("sdk/features/task.ts")],
    ["an edited adapter", () => touch("broker/adapters/ws.ts")],
    ["a deleted file", () => rmSync(join(root, "cli/verbs/task.ts"))],
    ["a new file", () => writeFileSync(join(root, "adapters/clock.ts"), "")],
    ["a changed lock file", () => touch("package-lock.json")],
    ["a changed package.json", () => touch("package.json")],
    ["a changed build", () => touch("install/build.mjs")],
    ["another runtime", () => touch("install/runtime/package.json")],
    ["no stamp", () => rmSync(join(root, "dist/stamp"))],
  ])("%s", (_, change) => {
    expect(isStale(root)).toBe(false);
    change();
    expect(isStale(root)).toBe(true);
    const first = launch(["peers"]);
    expect(first).toEqual({ status: 0, stdout: `cli ["peers"] ${scratch}\n`, stderr: "set-up\nbuild\n" });
    expect(launch(["peers"]).stderr).toBe("");
  });

  test.each(SOURCES)("a newer %s: launcher and build agree", (source) => {
    touch(source);
    expect(isStale(root)).toBe(true);
    expect(launch().stderr).toBe("set-up\nbuild\n");
  });

  test("a build that fails: its exit code, and nothing is started", () => {
    touch("cli/verbs/task.ts");
    const { status, stdout } = launch(["peers"], { env: { BUILD_FAILS: "1" } });
    expect({ status, stdout }).toEqual({ status: 3, stdout: "" });
  });
});
