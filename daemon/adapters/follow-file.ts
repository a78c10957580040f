/** The lines of a file that grows, as they come. */
import { closeSync, type FSWatcher, fstatSync, openSync, readSync, watch } from "node:fs";

/** Of what is there at first, the end. */
const TAIL_BYTES = 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** A longer line is passed over. */
const LINE_BYTES = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

/** `find`: asked again until the file is there. `look`: reads what has come, in case no event did; the first one begins. */
export function followFile(
  find: () => string | null,
  line: (line: string) => void,
): { look(): void; close(): void } {
  let file: number | null = null;
  let watcher: FSWatcher | null = null;
  let position = 0;
  let kept: Buffer[] = [];
  let size = 0;
  let skips = false;
  let isReading = false;

  const open = () => {
    const path = find();
    if (!path) return;
    try {
      file = openSync(path, "r");
      position = Math.max(0, fstatSync(file).size - TAIL_BYTES);
      // The first one is likely cut.
      skips = position > 0;
      watcher = watch(path, { persistent: false }, look);
      watcher.on("error", () => watcher?.close());
    } catch {
      // Gone again, or not to be watched: it is looked for, or read, with the next look.
    }
  };

  const take = (chunk: Buffer) => {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      kept.push(chunk.subarray(start, end));
      if (!skips) line(Buffer.concat(kept).toString("utf8"));
      kept = [];
      size = 0;
      skips = false;
      start = end + 1;
    }
    size += chunk.length - start;
    if (size > LINE_BYTES) {
      kept = [];
      skips = true;
    }
    if (!skips && start < chunk.length) kept.push(Buffer.from(chunk.subarray(start)));
  };

  const look = () => {
    // What a line leads to may look again: its turn comes when this one is through, or lines would come out of order.
    if (isReading) return;
    if (file === null) open();
    if (file === null) return;
    isReading = true;
    try {
      readOn(file);
    } finally {
      isReading = false;
    }
  };

  const readOn = (from: number) => {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    // Until nothing more has come, or a line has led to an end of following.
    while (file === from) {
      const read = readSync(from, chunk, 0, CHUNK_BYTES, position);
      if (read === 0) return;
      position += read;
      take(chunk.subarray(0, read));
    }
  };

  return {
    look,
    close() {
      watcher?.close();
      if (file !== null) closeSync(file);
      file = null;
      find = () => null;
    },
  };
}
