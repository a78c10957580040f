/** Secrets in 0600 files of a private folder: the keychain where the system has none that works without a screen. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { syncFolder, writeFileAtomically } from "#adapters/atomic-file.ts";
import { securePrivateFolder } from "#adapters/home.ts";
import type { Keychain } from "#protocol/ports.ts";

export function fileKeychain(folder: string): Keychain {
  securePrivateFolder(folder);
  return {
    get(name) {
      try {
        return new Uint8Array(readFileSync(join(folder, name)));
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
        throw error;
      }
    },
    set(name, secret) {
      writeFileAtomically(join(folder, name), secret);
    },
    remove(name) {
      rmSync(join(folder, name), { force: true });
      syncFolder(folder);
    },
  };
}
