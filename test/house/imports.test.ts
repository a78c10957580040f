// Imports point one way. The table is the rule; docs/ARCHITECTURE.md says why.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { importsOf, type Rules, violations } from "./imports.ts";
import { isSource, ROOT, sourceFiles } from "./sources.ts";

const PURE = ["tweetnacl", "@noble/hashes", "zod", "fastest-levenshtein", "@scure/bip39"];

// part          may import these parts                these packages                              node:* and sockets
// biome-ignore format: a table reads better aligned
const RULES: Rules = {
  protocol:      { parts: [],                              packages: PURE,                             world: "nowhere" },
  sdk:           { parts: ["protocol"],                    packages: PURE,                             world: "nowhere" },
  adapters:      { parts: ["protocol", "package.json"],    packages: PURE,                             world: "everywhere" },
  broker:        { parts: ["protocol", "adapters"],        packages: [...PURE, "hono", "jose", "yargs"], world: "adapters" },
  daemon:        { parts: ["protocol", "sdk", "adapters"], packages: [...PURE, "yaml"],                world: "adapters" },
  cli:           { parts: ["protocol", "adapters", "install"], packages: ["uqr"],                             world: "everywhere" },
  "mcp-adapter": { parts: ["protocol", "adapters"],        packages: ["@modelcontextprotocol/sdk"],    world: "everywhere" },
  install:       { parts: ["protocol", "adapters"],        packages: ["esbuild", "jsonc-parser"],      world: "everywhere" },
  test:          { parts: [],                              packages: [],                               world: "everywhere" },
  bench:         { parts: [],                              packages: [],                               world: "everywhere" },
  docs:          { parts: [],                              packages: [],                               world: "everywhere" },
};

/** What reaches out of the process: behind a port, in a file under adapters/ or in a part's main.ts. */
const WORLD = [
  "node:*",
  "ws",
  "better-sqlite3",
  "pino",
  "pino-roll",
  "@hono/node-server",
  "prom-client",
  "nodemailer",
];

test("every source imports only what the table allows", () => {
  const problems = sourceFiles()
    .filter(isSource)
    .filter((path) => path.includes("/"))
    .flatMap((path) => violations(RULES, WORLD, path, readFileSync(`${ROOT}/${path}`, "utf8")));
  expect(problems).toEqual([]);
});

describe("the check sees", () => {
  const check = (path: string, text: string) => violations(RULES, WORLD, path, text);

  test.each([
    ["a forbidden part", "sdk/sync.ts", 'import { openLog } from "#broker/log.ts";'],
    ["a forbidden part's types", "daemon/up.ts", 'import type { Log } from "#broker/log.ts";'],
    ["a forbidden part over several lines", "daemon/up.ts", 'import {\n  a,\n  b,\n} from "#cli/verbs.ts";'],
    ["a forbidden re-export", "sdk/sync.ts", 'export { a } from "#daemon/a.ts";'],
    ["a dynamic import", "sdk/sync.ts", 'const ws = await import("ws");'],
    ["a type by import()", "protocol/a.ts", 'let a: import("node:net").Socket;'],
    ["a require", "broker/log.ts", 'const fs = require("node:fs");'],
    ["a side effect", "cli/main.ts", 'import "#sdk/sync.ts";'],
    ["a computed name", "daemon/up.ts", "await import(name);"],
    ["Node in the protocol", "protocol/hash.ts", 'import { createHash } from "node:crypto";'],
    [
      "Node in the protocol's adapters",
      "protocol/adapters/hash.ts",
      'import { createHash } from "node:crypto";',
    ],
    ["the world outside of adapters", "broker/gateway.ts", 'import { WebSocketServer } from "ws";'],
    ["a main.ts that is not the entry", "daemon/methods/main.ts", 'import { connect } from "node:net";'],
    ["zod in the cli", "cli/verbs/task.ts", 'import * as z from "zod";'],
    ["a package that nobody listed", "sdk/sync.ts", 'import { chunk } from "lodash/chunk";'],
    ["a scoped package that nobody listed", "sdk/sync.ts", 'import { x } from "@scope/pkg/deep.js";'],
    [
      "a relative path out of the part",
      "sdk/features/task.ts",
      'import { ids } from "../../protocol/ids.ts";',
    ],
    ["the same in a test", "sdk/sync.test.ts", 'import { ids } from "../protocol/ids.ts";'],
    ["an unknown part", "utils/a.ts", ""],
  ])("%s", (_, path, text) => {
    expect(check(path, text)).toHaveLength(1);
  });

  test.each([
    ["neighbours", "sdk/features/task.ts", 'import { seal } from "../seal.ts";\nimport { a } from "./a.ts";'],
    ["the protocol", "sdk/sync.ts", 'import type { Frame } from "#protocol/frames.ts";'],
    ["a package's inner file", "protocol/hash.ts", 'import { sha256 } from "@noble/hashes/sha2.js";'],
    ["the world in adapters", "broker/adapters/ws.ts", 'import { WebSocketServer } from "ws";'],
    ["the world in the entry", "broker/main.ts", 'import { join } from "node:path";'],
    ["a comment", "sdk/sync.ts", '// import x from "ws";\n/**\n * import x from "ws";\n */\nconst a = 1;'],
    ["words that only look like it", "sdk/sync.ts", 'const important = "from";\nawait session.import(name);'],
    [
      "a test's own needs",
      "sdk/sync.test.ts",
      'import { test } from "vitest";\nimport { a } from "#broker/a.ts";',
    ],
  ])("nothing wrong in %s", (_, path, text) => {
    expect(check(path, text)).toEqual([]);
  });

  test("every form of an import", () => {
    const text = [
      'import a from "a";',
      'import type { B } from "b";',
      'export * from "c";',
      'import "d";',
      'const e = await import("e");',
      'type F = import("f").F;',
    ].join("\n");
    expect(importsOf(text).sort()).toEqual(["a", "b", "c", "d", "e", "f"]);
  });
});
