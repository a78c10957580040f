/** pino, as the log port. Lines go to `path`, which is kept from growing without bound, or to stderr. */
import { pino } from "pino";
import type { Log } from "#protocol/ports.ts";
import { openRollingFile } from "./rolling-file.ts";

type Fields = Record<string, unknown>;

/** @throws the system's error when there can't be a file at `path` */
export function createLogger(
  name: string,
  { path, level = "info" }: { path?: string; level?: string } = {},
): Log {
  const destination = path ? openRollingFile(path) : pino.destination({ fd: 2, sync: true });
  const logger = pino({ name, level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  return {
    debug: (fields, message) => logger.debug(withoutTexts(fields), message),
    info: (fields, message) => logger.info(withoutTexts(fields), message),
    warn: (fields, message) => logger.warn(withoutTexts(fields), message),
    error: (fields, message) => logger.error(withoutTexts(fields), message),
  };
}

/** What JSON.parse says of its input quotes it, and the input may be somebody's words. Where it happened is kept. */
function withoutTexts(fields: Fields): Fields {
  const { error } = fields;
  if (typeof error !== "string" || !error.startsWith("SyntaxError")) return fields;
  const frames = error.split("\n").filter((line) => line.startsWith("    at "));
  return { ...fields, error: ["SyntaxError", ...frames].join("\n") };
}
