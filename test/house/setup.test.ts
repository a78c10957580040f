// The set-up as a process, in a scratch folder, with an npm that only writes down what it is asked for.
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ROOT } from "./sources.ts";

let root: string;

/** Does what `npm ci` does as far as the set-up relies on it: empties node_modules and fills it. */
const FAKE_NPM = `
  const fs = require("node:fs");
  fs.appendFileSync(process.env.FAKE_LOG, process.argv.slice(2, 3) + " in " + process.cwd() + "\\n");
  if (process.env.FAKE_ERROR) {
    console.error(process.env.FAKE_ERROR);
    process.exit(1);
  }
  fs.rmSync("node_modules", { recursive: true, force: true });
  if (process.cwd().endsWith("runtime")) {
    if (process.env.FAKE_OFFLINE) return; // what npm does about an optional package that it cannot fetch
    const bin = "node_modules/node-" + process.platform + "-" + process.arch + "/bin";
    fs.mkdirSync(bin, { recursive: true });
    fs.symlinkSync(process.execPath, bin + "/node");
  } else {
    const fill = () => {
      fs.mkdirSync("node_modules/better-sqlite3", { recursive: true });
      fs.writeFileSync("node_modules/better-sqlite3/index.js", process.env.FAKE_SQLITE ?? "module.exports = class {}");
    };
    const { FAKE_HOLD: hold } = process.env;
    const go = () => fs.existsSync(hold + "/go") && (fill(), process.exit());
    if (hold) fs.watch(hold, go), go();
    else fill();
  }
`;

/** Lets the Node that runs the set-up take itself for another one. */
const pretending = (property: string, value: string) => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(
    `Object.defineProperty(process, "${property}", { value: ${value} });`,
  )}`,
});
const OLD_NODE = pretending("versions", '{ ...process.versions, node: "20.20.2" }');
const WINDOWS = pretending("platform", '"win32"');

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "claudemesh-setup-")));
  mkdirSync(join(root, "install", "runtime"), { recursive: true });
  for (const file of ["setup.mjs", "lock.mjs", "npm.mjs"]) {
    cpSync(join(ROOT, "install", file), join(root, "install", file));
  }
  for (const file of ["package.json", "package-lock.json", "install/runtime/package-lock.json"]) {
    writeFileSync(join(root, file), "{}");
  }
  writeRuntime(`node-${process.platform}-${process.arch}`);
  writeFileSync(join(root, "npm-cli.js"), FAKE_NPM);
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

/** `says` resolves once the words stand on stderr. */
function startSetUp(env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["install/setup.mjs"], {
    cwd: root,
    env: { ...process.env, npm_execpath: join(root, "npm-cli.js"), FAKE_LOG: join(root, "log"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    said.stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    said.stderr += chunk;
  });
  return {
    ended: once(child, "close").then(([code]) => ({ code, ...said })),
    async says(words: string): Promise<void> {
      while (!said.stderr.includes(words)) await once(child.stderr, "data");
    },
  };
}

async function setUp(env: Record<string, string> = {}) {
  return startSetUp(env).ended;
}

function writeRuntime(name: string): void {
  const text = JSON.stringify({ optionalDependencies: { [name]: "24.21.0" } });
  writeFileSync(join(root, "install/runtime/package.json"), text);
}

const npmRuns = () =>
  existsSync(join(root, "log")) ? readFileSync(join(root, "log"), "utf8").trim().split("\n") : [];

test("a bare clone gets its packages and the Node that all else runs on, and says so on stderr only", async () => {
  const { code, stdout, stderr } = await setUp();
  expect(code).toBe(0);
  expect(stdout).toBe("");
  expect(stderr).toContain("installing the packages");
  expect(npmRuns()).toEqual([`ci in ${root}`]);
  expect(realpathSync(join(root, "node_modules/.bin/node"))).toBe(realpathSync(process.execPath));
});

test("a second run does nothing and says nothing", async () => {
  await setUp();
  expect(await setUp()).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(npmRuns()).toHaveLength(1);
});

test("of two at once, one installs and the other waits for it", async () => {
  const hold = join(root, "hold");
  mkdirSync(hold);
  const first = startSetUp({ FAKE_HOLD: hold });
  await first.says("installing the packages");
  const second = startSetUp();
  await second.says("another set-up is running");
  writeFileSync(join(hold, "go"), "");
  const runs = await Promise.all([first.ended, second.ended]);
  expect(runs.map(({ code }) => code)).toEqual([0, 0]);
  expect(npmRuns()).toHaveLength(1);
});

test.each([
  ["a changed lock file", () => writeFileSync(join(root, "package-lock.json"), "{ }")],
  ["a changed runtime", () => writeFileSync(join(root, "install/runtime/package-lock.json"), "{ }")],
  ["a Node that has gone", () => rmSync(join(root, "node_modules/.bin/node"))],
  ["packages that have gone", () => rmSync(join(root, "node_modules"), { recursive: true })],
])("%s means another set-up", async (_, change) => {
  await setUp();
  change();
  expect((await setUp()).code).toBe(0);
  expect(npmRuns()).toHaveLength(2);
});

test("without a network it says what to check, and the next run begins anew", async () => {
  const { code, stderr } = await setUp({ FAKE_ERROR: "npm error code EAI_AGAIN\nnpm error network ..." });
  expect(code).toBe(1);
  expect(stderr).toContain("the npm registry cannot be reached (EAI_AGAIN)");
  expect(stderr).toContain("run the same command again");
  expect((await setUp()).code).toBe(0);
});

test("any other failure of npm is shown with npm's own words", async () => {
  const { code, stderr } = await setUp({ FAKE_ERROR: "npm error code EUSAGE" });
  expect(code).toBe(1);
  expect(stderr).toContain("npm error code EUSAGE");
});

test("a system that SQLite has no binary for is told so at once", async () => {
  const { code, stderr } = await setUp({ FAKE_SQLITE: "throw new Error('wrong ELF class')" });
  expect(code).toBe(1);
  expect(stderr).toContain("better-sqlite3 does not load");
  expect(stderr).toContain("wrong ELF class");
});

test("on Windows it says that there claudemesh doesn't run, and where it does", async () => {
  const { code, stderr } = await setUp(WINDOWS);
  expect(code).toBe(1);
  expect(stderr).toContain("doesn't run on Windows");
  expect(stderr).toContain("WSL 2");
  expect(npmRuns()).toEqual([]);
});

describe("where the host's Node is too old", () => {
  test("the pinned one is fetched first, and runs the installation of the packages", async () => {
    const { code, stderr } = await setUp(OLD_NODE);
    expect(code).toBe(0);
    expect(stderr).toContain("yours is 20.20.2");
    expect(npmRuns()).toEqual([`ci in ${root}/install/runtime`, `ci in ${root}`]);
    const link = readlinkSync(join(root, "node_modules/.bin/node"));
    expect(link).toMatch(/^\.\.\/\.\.\/install\/runtime\/node_modules\/node-[a-z0-9-]+\/bin\/node$/);
  });

  test("it is fetched once, even if the packages change", async () => {
    await setUp(OLD_NODE);
    writeFileSync(join(root, "package-lock.json"), "{ }");
    await setUp(OLD_NODE);
    expect(npmRuns().filter((run) => run.endsWith("runtime"))).toHaveLength(1);
  });

  test("without a network it says what to check", async () => {
    const { code, stderr } = await setUp({ ...OLD_NODE, FAKE_OFFLINE: "1" });
    expect(code).toBe(1);
    expect(stderr).toContain("npm could not fetch node-");
    expect(stderr).toContain("Check the network");
  });

  test("on a system that there is none for, it says which Node to install", async () => {
    writeRuntime("node-plan9-mips");
    const { code, stderr } = await setUp(OLD_NODE);
    expect(code).toBe(1);
    expect(stderr).toContain("Install Node 24.7 or newer");
    expect(npmRuns()).toEqual([]);
  });
});
