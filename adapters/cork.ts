/** What is written in one turn of the event loop leaves in one system call: each costs as much as what it writes. */
import type { Writable } from "node:stream";

export type Cork = {
  /** To be called before each write. What is written leaves when all that follows from the present event has run. */
  hold(): void;
  /** Lets out at once what is held: nothing may run any more. */
  release(): void;
};

export function corkOf(stream: Writable): Cork {
  let isHeld = false;
  const release = () => {
    if (!isHeld) return;
    isHeld = false;
    stream.uncork();
  };
  return {
    hold() {
      if (isHeld) return;
      isHeld = true;
      stream.cork();
      process.nextTick(release);
    },
    release,
  };
}
