/** What install and uninstall consist of: steps that say what they will do, do it, and can take it back. */
import { errorShape, MeshError } from "#protocol/errors.ts";

export type Change = {
  path: string;
  action: "create" | "change" | "remove";
  /** In words. */
  what: string;
  /** Lines that go and come, each behind its sign; only for a person's eyes. */
  diff: readonly string[];
};

export type Step = {
  /** Empty where there is nothing to do; then it isn't applied. */
  changes: readonly Change[];
  apply(): Promise<void> | void;
  /** After `apply` has succeeded. */
  undo(): Promise<void> | void;
};

export type Plan = {
  steps: readonly Step[];
  /** What the person should know or do besides. */
  remarks: readonly string[];
};

/** All, or none: when one fails, those before it are taken back, the last first. @throws what made it fail */
export async function applyAll(steps: readonly Step[]): Promise<void> {
  const done: Step[] = [];
  try {
    for (const step of steps) {
      await step.apply();
      done.unshift(step);
    }
  } catch (error) {
    const stuck: string[] = [];
    for (const step of done) await undone(step).catch((why) => stuck.push(errorShape(why).message));
    if (stuck.length === 0) throw error;
    const { code, message } = errorShape(error);
    const rest = "`claudemesh uninstall` takes out what is left.";
    throw new MeshError(code, `${message} Not all of it could be taken back: ${stuck.join(" ")}`, rest);
  }
}

async function undone(step: Step): Promise<void> {
  await step.undo();
}
