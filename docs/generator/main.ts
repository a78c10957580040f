/** `npm run docs`: makes the generated parts of docs/ and the plugin anew. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { pages } from "./pages.ts";

for (const { path, now, fresh } of await pages()) {
  if (now === fresh) continue;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, fresh);
  console.log(`${path} is new`);
}
