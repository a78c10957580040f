/** The configuration as a file of the home. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "#adapters/atomic-file.ts";
import { fromSystem } from "#adapters/system-error.ts";
import type { Config } from "../config.ts";

export function configPath(home: string): string {
  return join(home, "config.json");
}

/** Null where there is none yet. @throws MeshError bad_data */
export function readConfigFile(home: string): string | null {
  const path = configPath(home);
  try {
    return existsSync(path) ? readFileSync(path, "utf8") : null;
  } catch (error) {
    throw fromSystem(error, path) ?? error;
  }
}

export function writeConfigFile(home: string, config: Config): void {
  writeFileAtomically(configPath(home), `${JSON.stringify(config, null, 2)}\n`);
}
