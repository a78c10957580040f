/** demo: a conversation between two people who live for a few seconds */
import { MeshError } from "#protocol/errors.ts";
import type { Step } from "../demo.ts";
import { paint } from "../print.ts";
import type { Verb } from "../verb.ts";

/** For all of it: a machine on which it takes longer has a problem worth telling. */
const LIMIT_MS = 15_000;
/** Between two steps, for whoever watches. */
const BREATH_MS = 150;
const INTERRUPTED = 130;
const READER_GONE = "SIGPIPE";

export const demo: Verb = {
  name: "demo",
  group: "daemon",
  summary: "two people meet and talk, on this machine, in seconds; nothing stays",
  examples: ["claudemesh demo", "claudemesh demo --json"],
  local: true,
  async run({ json, print }) {
    const { openStage } = await import("../demo.ts");
    const stage = openStage();
    const startedAt = performance.now();
    let interrupt: (why: string | MeshError) => void = () => {};
    const interrupted = new Promise<never>((_, reject) => {
      interrupt = reject;
    });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, interrupt);
    setTimeout(() => interrupt(tooLong()), LIMIT_MS).unref();
    // A reader that has gone is as good as Ctrl-C: what was started has to end first.
    const gone = () => interrupt(READER_GONE);
    const isWatched = process.stdout.isTTY && !json;
    let isOver = false;
    const show = async (step: Step) => {
      // What is still under way when it is stopped isn't shown any more.
      if (isOver) return;
      const ms = Math.round(performance.now() - startedAt);
      print({ ms, ...step }, lineOf(ms, step), gone);
      if (isWatched) await new Promise((resolve) => setTimeout(resolve, BREATH_MS));
    };
    try {
      const title = `${paint("bold", "claudemesh demo")}: two people, each with a daemon, and a broker\n`;
      if (!json) print(null, title, gone);
      await Promise.race([stage.play(show), interrupted]);
      await stage.clear();
      await show({
        who: "",
        did: "end",
        text: "The daemons and the broker have ended, their folder is gone.",
      });
    } catch (error) {
      isOver = true;
      await stage.clear();
      if (typeof error !== "string") throw error;
      if (error === READER_GONE) return;
      process.exitCode = INTERRUPTED;
      if (!json) print(null, "\nstopped; nothing is left");
    }
  },
};

function lineOf(ms: number, { who, did, text, to }: Step): string {
  const at = paint("dim", `${ms} ms`.padStart(8));
  if (did === "end") return `\n${at}  ${paint("green", "✓")} ${text}`;
  if (did === "receipt" || did === "proof")
    return `${" ".repeat(17)}${paint("green", "✓")} ${paint("dim", text)}`;
  const name = paint(who === "alice" ? "cyan" : "magenta", who.padEnd(5));
  return to === undefined ? `${at}  ${name}  ${text}` : `${at}  ${name}  → ${to}: ${paint("bold", text)}`;
}

function tooLong(): MeshError {
  return new MeshError(
    "timeout",
    `The demo wasn't over after ${LIMIT_MS} ms.`,
    "Try again; if it stays so, please report it.",
  );
}
