/** What a service manager makes of the daemon's exit codes. */
import { ERRORS } from "#protocol/errors.ts";

/** Ends that would be the same again: every error of that code says that trying again doesn't help. 1 may be a crash. */
export const NOT_MENDED_BY_A_RESTART: readonly number[] = [
  ...new Set(
    Object.values(ERRORS)
      .map(({ exit }) => exit)
      .filter((exit) => exit > 1 && Object.values(ERRORS).every((one) => one.exit !== exit || !one.retry)),
  ),
].sort((a, b) => a - b);
