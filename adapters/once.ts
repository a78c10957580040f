/** What a person is told once in a home's life. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** True the first time. A home that can't be written has been told: better never than at each verb. */
export function isFirstTime(home: string, name: string): boolean {
  try {
    writeFileSync(join(home, `told-${name.replaceAll(" ", "-")}`), "", { flag: "wx", mode: 0o600 });
    return true;
  } catch {
    return false;
  }
}
