/** What is written in one turn of the event loop leaves in one system call: each costs as much as what it writes. */
import type { Writable } from "node:stream";

/** To be called before each write. What is corked leaves when all that follows from the present event has run. */
export function corkedByTurn(stream: Writable): () => void {
  let isCorked = false;
  const uncork = () => {
    isCorked = false;
    stream.uncork();
  };
  return () => {
    if (isCorked) return;
    isCorked = true;
    stream.cork();
    process.nextTick(uncork);
  };
}
