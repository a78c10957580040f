/** Writing to stdout and stderr, for good: the process may end right after. */
import { writeSync } from "node:fs";

/** `gone`: the reader has left (`… | head`). That is no error, and usually the end. */
export function out(fd: 1 | 2, text: string, gone: () => void = () => process.exit(0)): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "";
      if (code === "EPIPE") {
        gone();
        return;
      }
      if (code !== "EAGAIN") throw error;
    }
  }
}
