/** `sessions/<pid>.json`: what the client writes about a living session. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type Status = "idle" | "busy" | "waiting";

export type SessionFile = {
  show(sessionId: string, status?: Status, waitingFor?: string): void;
  remove(): void;
};

export function createSessionFile(config: string, pid: number, more: object): SessionFile {
  const folder = join(config, "sessions");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${pid}.json`);
  const began = { pid, startedAt: Date.now(), procStart: startOf(pid), version: "2.1.329" };
  return {
    show(sessionId, status, waitingFor) {
      const now = Date.now();
      const known = {
        ...began,
        ...more,
        sessionId,
        kind: "interactive",
        entrypoint: "cli",
        ...(status ? { status, statusUpdatedAt: now, updatedAt: now } : {}),
        ...(waitingFor ? { waitingFor } : {}),
      };
      writeFileSync(`${path}.new`, JSON.stringify(known));
      renameSync(`${path}.new`, path);
    },
    remove: () => rmSync(path, { force: true }),
  };
}

/** When a process began, as Linux counts it: tells a pid that came round from its former owner. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}
