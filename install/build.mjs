// Bundles the sources into dist/, if they are newer than what is there.
//
//   node_modules/.bin/node install/build.mjs
//
// Why bundles: a verb started from its sources takes three times as long as Node itself, started from a bundle 1.3 times.
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { withLock } from "./lock.mjs";
import { isStale } from "./stale.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DIST = join(ROOT, "dist");
const WORK = join(ROOT, ".setup"); // on the same disk as dist/, so that a rename is one step
const DRAFT = join(WORK, "dist");

/** @typedef {{ name: string, entry: string, options: import("esbuild").BuildOptions }} Bundle */

/** @type {import("esbuild").BuildOptions} */
const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  metafile: true,
  platform: "node",
  target: "node24",
  logLevel: "warning",
};

// What starts once for every verb or session: CommonJS and minified are 6 ms faster to start.
/** @type {import("esbuild").BuildOptions} */
const QUICK = {
  ...COMMON,
  format: "cjs",
  minify: true,
  banner: {
    js: [
      "delete process.env.NODE_COMPILE_CACHE;", // bin/claudemesh set it, for this process alone
      'const __moduleUrl=require("node:url").pathToFileURL(__filename).href;',
    ].join(""),
  },
  define: {
    "import.meta.url": "__moduleUrl",
    "import.meta.filename": "__filename",
    "import.meta.dirname": "__dirname",
  },
};

// What runs for days: names in its stack traces are worth more than milliseconds. The banner is for the CommonJS packages
// inside; better-sqlite3 stays outside, as it looks for its binary beside its own files.
/** @type {import("esbuild").BuildOptions} */
const LASTING = {
  ...COMMON,
  format: "esm",
  external: ["better-sqlite3"],
  banner: {
    js: [
      'import { createRequire as __createRequire } from "node:module";',
      "const require = __createRequire(import.meta.url);",
      "const __filename = import.meta.filename;",
      "const __dirname = import.meta.dirname;",
    ].join("\n"),
  },
};

// What few verbs need has a bundle of its own beside the one of the verbs, which is read for each of them.
/** @type {import("esbuild").Plugin} */
const SELDOM = {
  name: "seldom",
  setup({ onResolve }) {
    onResolve({ filter: /^#install\/main\.ts$/ }, () => ({ path: "./install.cjs", external: true }));
  },
};

/** @type {Bundle[]} bin/claudemesh chooses among them by its first argument; the broker itself starts its reader, verbs load install */
const BUNDLES = [
  { name: "cli.cjs", entry: "cli/main.ts", options: { ...QUICK, plugins: [SELDOM] } },
  // jsonc-parser's first entry is one that bundlers can't follow.
  {
    name: "install.cjs",
    entry: "install/main.ts",
    options: { ...QUICK, mainFields: ["module", "main"] },
  },
  { name: "adapter.cjs", entry: "mcp-adapter/main.ts", options: QUICK },
  { name: "hook.cjs", entry: "mcp-adapter/hook.ts", options: QUICK },
  { name: "daemon.mjs", entry: "daemon/main.ts", options: LASTING },
  { name: "broker.mjs", entry: "broker/main.ts", options: LASTING },
  { name: "broker-reader.mjs", entry: "broker/adapters/sqlite-reader.ts", options: LASTING },
];

try {
  if (isStale(ROOT)) {
    await withLock(WORK, async () => {
      if (isStale(ROOT)) await buildAll(); // else whoever held the lock before us did it
    });
  }
} catch (error) {
  // The first line: esbuild has shown the rest.
  const message = error instanceof Error ? error.message.split("\n")[0] : error;
  process.stderr.write(`claudemesh: the build failed: ${message}\n`);
  process.exitCode = 1;
}

/** Each file replaces the old one in a single step, so a verb that starts meanwhile never reads half a bundle. */
async function buildAll() {
  rmSync(DRAFT, { recursive: true, force: true });
  mkdirSync(DRAFT, { recursive: true });
  mkdirSync(DIST, { recursive: true });
  writeFileSync(join(DRAFT, "stamp"), ""); // before anything is read: an edit from now on is newer
  await Promise.all(BUNDLES.map(buildOne));
  const files = readdirSync(DRAFT).filter((name) => name !== "stamp");
  // Compiled code of the bundles that these replace.
  rmSync(join(DIST, "compile-cache"), { recursive: true, force: true, maxRetries: 3 });
  for (const name of [...files, "stamp"]) renameSync(join(DRAFT, name), join(DIST, name));
  rmSync(DRAFT, { recursive: true });
}

/** @param {Bundle} bundle */
async function buildOne({ name, entry, options }) {
  const { metafile } = await build({ ...options, entryPoints: [entry], outfile: join(DRAFT, name) });
  writeFileSync(join(DRAFT, `meta-${name.slice(0, name.lastIndexOf("."))}.json`), JSON.stringify(metafile));
}
