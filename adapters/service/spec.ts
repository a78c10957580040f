/** What the daemon's service is to start, and where its file lies. The file says it of itself in one line of JSON. */
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";

export type ServiceSpec = {
  /** Of claudemesh, when the file was written. */
  version: string;
  /** The absolute path of `bin/claudemesh`. */
  launcher: string;
  environment: Readonly<Record<string, string>>;
  /** Whether this systemd lets the waits between restarts grow (254 and newer). */
  steps: boolean;
};

/** Each home has a service of its own; the usual one's has no number. */
export function serviceName(home: string): string {
  if (home === join(homedir(), ".claudemesh")) return "claudemesh";
  return `claudemesh-${createHash("sha256").update(home).digest("hex").slice(0, 8)}`;
}

/** A line that stands in a comment, also of XML, where two hyphens may not be. */
export function specLine(spec: ServiceSpec): string {
  return `claudemesh-service ${JSON.stringify(spec).replaceAll("-", "\\u002d")}`;
}

/** Null for a file that isn't ours. */
export function readSpec(text: string): ServiceSpec | null {
  const [, json] = /\bclaudemesh-service (\{.*\})/.exec(text) ?? [];
  try {
    const said: unknown = JSON.parse(json ?? "");
    return isSpec(said) ? said : null;
  } catch {
    return null;
  }
}

function isSpec(value: unknown): value is ServiceSpec {
  if (typeof value !== "object" || value === null) return false;
  const { version, launcher, environment, steps } = value as Partial<Record<keyof ServiceSpec, unknown>>;
  return (
    typeof version === "string" &&
    typeof launcher === "string" &&
    typeof steps === "boolean" &&
    typeof environment === "object" &&
    environment !== null &&
    Object.values(environment).every((one) => typeof one === "string")
  );
}
