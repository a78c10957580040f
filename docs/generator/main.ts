/** `npm run docs`: makes the generated parts of docs/ anew. */
import { writeFileSync } from "node:fs";
import { pages } from "./pages.ts";

for (const { path, now, fresh } of await pages()) {
  if (now === fresh) continue;
  writeFileSync(path, fresh);
  console.log(`${path} is new`);
}
