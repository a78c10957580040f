/** That a file has changed, or has come: by its folder, as many programs replace a file as a whole. */
import { watch } from "node:fs";
import { basename, dirname } from "node:path";

/** Runs after each change until the answer is called; never where nothing can be watched. */
export function watchFile(path: string, run: () => void): () => void {
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_, name) => {
      if (name === basename(path)) run();
    });
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
}
