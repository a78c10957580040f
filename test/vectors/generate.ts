/**
 * Writes protocol/vectors/*.json, the byte formats by example: `node test/vectors/generate.ts`.
 * Run it only when a format is meant to change; protocol/vectors/*.test.ts checks the implementation against what is committed.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { backupVectors } from "./backup.ts";
import { chainVectors } from "./chain.ts";
import { encodingVectors, idVectors } from "./encoding.ts";
import { frameVectors, inviteLinkVectors, socketVectors } from "./frames.ts";
import { deriveVectors, sealVectors } from "./keys.ts";
import { recordVectors } from "./records.ts";
import { safetyNumberVectors } from "./safety-number.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = `${root}/protocol/vectors`;

const files = {
  encoding: encodingVectors(),
  ids: await idVectors(),
  derive: await deriveVectors(),
  seal: sealVectors(),
  record: await recordVectors(),
  chain: await chainVectors(),
  frames: await frameVectors(),
  "invite-link": inviteLinkVectors(),
  socket: socketVectors(),
  backup: await backupVectors(),
  "safety-number": await safetyNumberVectors(),
};

mkdirSync(folder, { recursive: true });
for (const [name, content] of Object.entries(files)) {
  writeFileSync(`${folder}/${name}.json`, `${JSON.stringify(content, null, 2)}\n`);
}
execFileSync(`${root}/node_modules/.bin/biome`, ["format", "--write", folder], { stdio: "inherit" });
