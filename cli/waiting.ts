/** What a terminal shows while something is waited for: nothing at first, then a sign of life, and no trace behind it. */

const PATIENCE_MS = 150;
const TURN_MS = 80;
const SIGNS = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

export type Every = (ms: number, run: () => void) => () => void;

/** Answers what ends it; that may be called more than once. */
export function showWaiting(
  what: string,
  write: (text: string) => void,
  every: Every = systemEvery,
): () => void {
  let turns = 0;
  const stop = every(TURN_MS, () => {
    turns++;
    if (turns * TURN_MS > PATIENCE_MS) write(`\r${SIGNS[turns % SIGNS.length]} ${what} …`);
  });
  return () => {
    stop();
    if (turns * TURN_MS > PATIENCE_MS) write("\r\x1b[K");
    turns = 0;
  };
}

function systemEvery(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}
