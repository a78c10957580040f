/** The entry of the bundle that install and uninstall load: other verbs don't read files of others. */

import { isDeepStrictEqual } from "node:util";
import { MeshError } from "#protocol/errors.ts";
import { sweepBackups, whileAlone } from "./claude/journal.ts";
import { applyAll, type Change, type Plan } from "./step.ts";

export { planInstall, planUninstall, type Wanted } from "./claude/install.ts";
export { installService, removeService } from "./service/service.ts";
export type { Change, Plan, Step } from "./step.ts";

export function changesOf({ steps }: Plan): readonly Change[] {
  return steps.flatMap(({ changes }) => changes);
}

/**
 * Makes the plan again once nobody else is at it, and carries it out where it is what was agreed to, or nothing is left to do.
 * @throws MeshError conflict, busy, what the disk or the client says
 */
export function carryOut(agreed: Plan, plan: () => Promise<Plan> | Plan): Promise<void> {
  return whileAlone(async () => {
    const now = await plan();
    if (changesOf(now).length > 0 && !isDeepStrictEqual(changesOf(now), changesOf(agreed)))
      throw new MeshError("conflict", "A file was changed while you were asked.", "Try again.");
    try {
      await applyAll(now.steps);
    } finally {
      sweepBackups();
    }
  });
}
