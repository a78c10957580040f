/** How a check is made and mended. The lists stand where their subjects are: the home's, and the daemon's own. */
import type { Check } from "#protocol/features/daemon.ts";

/** The home as it is found: by a process that isn't its daemon. */
export type Place = {
  home: string;
  socket: string;
  /** Whether a daemon owns it just now; what that one uses is looked at and left alone. */
  isRunning: boolean;
};

export type HomeCheck = {
  name: string;
  look(place: Place): Check | readonly Check[];
  /** Mends what is safe to mend, and says what it did. */
  repair?(place: Place): readonly string[];
};

export function good(name: string, detail: string): Check {
  return { name, ok: true, detail, fix: null };
}

export function bad(name: string, detail: string, fix: string): Check {
  return { name, ok: false, detail, fix };
}

/** What can't be told from here, or doesn't apply. */
export function unknown(name: string, detail: string): Check {
  return { name, ok: null, detail, fix: null };
}

/** With `fix`, what is wrong is mended where that is safe, and looked at again. */
export function examine(
  list: readonly HomeCheck[],
  place: Place,
  fix: boolean,
): { checks: Check[]; repairs: string[] } {
  const repairs: string[] = [];
  const checks = list.flatMap((one) => {
    const found = looked(one, place);
    if (!fix || !one.repair || found.every(({ ok }) => ok !== false)) return found;
    try {
      repairs.push(...one.repair(place));
    } catch (error) {
      return [...found, bad(one.name, `It couldn't be mended: ${String(error)}.`, "Mend it by hand.")];
    }
    return looked(one, place);
  });
  return { checks, repairs };
}

/** A check that fails itself has found something. */
function looked({ name, look }: HomeCheck, place: Place): readonly Check[] {
  try {
    return [look(place)].flat();
  } catch (error) {
    return [bad(name, String(error), "Look at it by hand.")];
  }
}
