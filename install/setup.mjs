// Makes a clone ready to run: a Node that is new enough, and the packages. Runs on Node 18 and needs nothing itself.
//
//   node install/setup.mjs
//
// Afterwards `node_modules/.bin/node` is the Node that everything else runs on. A second run only compares the stamp.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "./lock.mjs";
import { CHECK_NETWORK, npmCi, run } from "./npm.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const RUNTIME = join(ROOT, "install", "runtime");
const NODE = join(ROOT, "node_modules", ".bin", "node");
const STAMP = join(ROOT, "node_modules", ".claudemesh-setup"); // `npm ci` deletes it together with what it vouches for
const RUNTIME_STAMP = join(RUNTIME, "node_modules", ".claudemesh-setup");
const LOCK = join(ROOT, ".setup");
const OLDEST_NODE = [24, 7]; // crypto.argon2 came with it

try {
  if (!isSetUp()) {
    await withLock(LOCK, setUp, {
      onWait: (pid) => say(`another set-up is running (process ${pid}), waiting for it`),
    });
  }
} catch (error) {
  say(`set-up failed: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

/** Both lock files, so that a changed dependency or runtime is noticed, and the place that the Node link must lead to. */
function isSetUp() {
  return existsSync(NODE) && read(STAMP) === wanted();
}

async function setUp() {
  if (process.platform === "win32")
    throw new Error("claudemesh doesn't run on Windows. In WSL 2 (https://aka.ms/wsl) it runs as on Linux.");
  if (isSetUp()) return; // whoever held the lock before us did it
  const start = performance.now();
  const node = await chooseNode();
  say("installing the packages (10 to 30 s, once)");
  await npmCi(ROOT, node);
  linkNode(node);
  await checkSqlite();
  writeFileSync(STAMP, wanted());
  say(`ready after ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

/** @returns {Promise<string>} the host's Node, or the pinned one where that is too old */
async function chooseNode() {
  // Inside `npm run` a second set-up is already run by the pinned Node, which does not make it the host's.
  const isPinned = process.execPath.startsWith(RUNTIME + sep);
  if (!isPinned && isNewEnough(process.versions.node)) return process.execPath;

  const name = `node-${process.platform}-${process.arch}`;
  const { optionalDependencies } = JSON.parse(readFileSync(join(RUNTIME, "package.json"), "utf8"));
  const version = optionalDependencies[name];
  const advice = `Install Node ${OLDEST_NODE.join(".")} or newer (https://nodejs.org), then run the same command again.`;
  if (!version) {
    throw new Error(
      `Node ${process.versions.node} is too old, and there is no package ${name} to fetch a newer one from.\n${advice}`,
    );
  }
  const node = join(RUNTIME, "node_modules", name, "bin", "node");
  if (existsSync(node) && read(RUNTIME_STAMP) === hashOf(join(RUNTIME, "package-lock.json"))) return node;

  say(`fetching Node ${version} for this folder (5 to 30 s, once; yours is ${process.versions.node})`);
  await npmCi(RUNTIME, process.execPath);
  if (!existsSync(node)) {
    // npm calls that a success: a package that fits one system only is an optional one.
    throw new Error(`npm could not fetch ${name}@${version}.\n${CHECK_NETWORK}\nOr: ${advice}`);
  }
  const { code, output } = await run(node, ["--version"], { cwd: RUNTIME });
  if (code !== 0) throw new Error(`Node ${version} does not run on this system: ${output.trim()}\n${advice}`);
  writeFileSync(RUNTIME_STAMP, hashOf(join(RUNTIME, "package-lock.json")));
  return node;
}

/** @param {string} version */
function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE;
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

/** @param {string} node */
function linkNode(node) {
  mkdirSync(dirname(NODE), { recursive: true });
  rmSync(NODE, { force: true });
  // A link that stays inside the folder is relative, so that the folder can be moved.
  symlinkSync(node.startsWith(ROOT + sep) ? relative(dirname(NODE), node) : node, NODE);
}

/** SQLite is the one native part: say at once, and not at the first message, when it has no binary for this system. */
async function checkSqlite() {
  const { code, output } = await run(NODE, ["-e", "new (require('better-sqlite3'))(':memory:')"], {
    cwd: ROOT,
  });
  if (code !== 0)
    throw new Error(
      `better-sqlite3 does not load on ${process.platform}-${process.arch}:\n${output.trim()}\n` +
        "It has binaries for Linux and macOS on x64 and arm64; on these, delete node_modules and run the same command again.",
    );
}

function wanted() {
  return `${hashOf(join(ROOT, "package-lock.json"))} ${hashOf(join(RUNTIME, "package-lock.json"))}`;
}

/** @param {string} path */
function hashOf(path) {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** @param {string} path */
function read(path) {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** @param {string} text */
function say(text) {
  process.stderr.write(`claudemesh: ${text}\n`);
}
