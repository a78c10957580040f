import { expect, test } from "vitest";
import { showWaiting } from "./waiting.ts";

/** What is written in so many turns of the clock, and behind them. */
function shownIn(turns: number) {
  const written: string[] = [];
  let turn = () => {};
  let running = true;
  const stop = showWaiting(
    "joining",
    (text) => written.push(text),
    (_, run) => {
      turn = run;
      return () => {
        running = false;
      };
    },
  );
  for (let i = 0; i < turns; i++) turn();
  stop();
  stop();
  return { written, running };
}

test("what is over soon is never shown", () => {
  expect(shownIn(1)).toEqual({ written: [], running: false });
});

test("what takes longer turns on one line, and leaves nothing on it", () => {
  const { written, running } = shownIn(4);
  expect(running).toBe(false);
  expect(written.slice(0, -1)).toEqual(["\r⠹ joining …", "\r⠸ joining …", "\r⠼ joining …"]);
  expect(written.at(-1)).toBe("\r\x1b[K");
});
