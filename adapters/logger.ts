/** pino, as the log port. Lines go to `path`, or to stderr. */
import { pino } from "pino";
import type { Log } from "#protocol/ports.ts";

export function createLogger(
  name: string,
  { path, level = "info" }: { path?: string; level?: string } = {},
): Log {
  const destination = pino.destination(
    path ? { dest: path, mkdir: true, mode: 0o600, sync: true } : { fd: 2, sync: true },
  );
  const logger = pino({ name, level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
}
