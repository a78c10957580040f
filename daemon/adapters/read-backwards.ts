/** The lines of a file from its end back, some at a time. Between two readings others of this process have their turn. */
import { open } from "node:fs/promises";

const CHUNK_BYTES = 64 * 1024;
/** A longer line is passed over. */
const LINE_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/** Newest first, as the file is now: what comes to it meanwhile isn't read. */
export async function* readBackwards(path: string): AsyncGenerator<readonly string[]> {
  const file = await open(path, "r");
  try {
    let position = (await file.stat()).size;
    /** Of the line that reaches into what isn't read yet, its parts from the front. */
    let kept: Buffer[] = [];
    let size = 0;
    let isTooLong = false;

    const keep = (part: Buffer) => {
      size += part.length;
      isTooLong ||= size > LINE_BYTES;
      kept = isTooLong ? [] : [part, ...kept];
    };
    const whole = (): string[] => {
      const line = isTooLong || size === 0 ? [] : [Buffer.concat(kept).toString("utf8")];
      kept = [];
      size = 0;
      isTooLong = false;
      return line;
    };

    while (position > 0) {
      const length = Math.min(CHUNK_BYTES, position);
      position -= length;
      // Anew each time: parts of the one before may still be kept.
      const chunk = Buffer.allocUnsafe(length);
      const { bytesRead } = await file.read(chunk, 0, length, position);
      // It was cut short meanwhile: what is left of it doesn't fit together.
      if (bytesRead < length) return;
      const lines: string[] = [];
      let end = length;
      for (
        let at = chunk.lastIndexOf(NEWLINE);
        at >= 0;
        at = at === 0 ? -1 : chunk.lastIndexOf(NEWLINE, at - 1)
      ) {
        keep(chunk.subarray(at + 1, end));
        lines.push(...whole());
        end = at;
      }
      keep(chunk.subarray(0, end));
      if (position === 0) lines.push(...whole());
      yield lines;
    }
  } finally {
    await file.close();
  }
}
