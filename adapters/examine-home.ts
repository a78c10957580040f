/** Has the home looked at by a process of its own, which can open databases as a verb can't. */
import { spawn } from "node:child_process";
import type { Check } from "#protocol/features/daemon.ts";
import { launcherPath } from "./start-daemon.ts";

/** A database of years is read through. */
const LIMIT_MS = 120_000;

export type Examination = { checks: Check[]; repairs: string[] };

/** With `fix`, what is safe to mend is mended. A program that doesn't run is one of the things that may be wrong. */
export function examineHome(fix: boolean): Promise<Examination> {
  return new Promise((resolve) => {
    const child = spawn(launcherPath, ["__daemon", "--doctor", ...(fix ? ["--fix"] : [])], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: LIMIT_MS,
    });
    let said = "";
    let complaint = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(-2000);
    });
    child.once("error", (error) => resolve(broken(error.message)));
    child.once("close", () => resolve(examination(said) ?? broken(complaint || said)));
  });
}

function examination(said: string): Examination | null {
  try {
    const parsed: unknown = JSON.parse(said);
    // Said by our own program, in the shape of its own list.
    return typeof parsed === "object" && parsed !== null && "checks" in parsed
      ? (parsed as Examination)
      : null;
  } catch {
    return null;
  }
}

function broken(why: string): Examination {
  const said = why.split("\n").findLast((line) => /\w/.test(line)) ?? "it says nothing";
  const check = {
    name: "program",
    ok: false,
    detail: `The daemon's program doesn't run: ${said.trim()}`,
    fix: "Install claudemesh again.",
  };
  return { checks: [check], repairs: [] };
}
