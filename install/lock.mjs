// One holder at a time, across processes, with files only: the set-up runs on any Node and before any package exists.
//
// Tickets: the folder holds files `lock-1`, `lock-2`, …, each with its holder's pid, or "free" once that one has finished.
// Whoever finds the highest ticket free or its holder dead creates the next one. Creation by link() is atomic and brings the
// content along. The highest ticket is never deleted, so somebody who acts on an old listing ends with a ticket that is
// not the highest, and knows that it lost. (Deleting a dead holder's lock file instead could delete its successor's.)
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FREE = "free";
const POLL_MS = 100;
const WAIT_MS = 10 * 60_000;

/**
 * Runs `action` while this process alone holds the lock in `folder`.
 * @template T
 * @param {string} folder made if missing
 * @param {() => Promise<T> | T} action
 * @param {{ waitMs?: number, onWait?: (holder: number) => void }} [options] `onWait` is called once, if there is a wait
 * @returns {Promise<T>}
 */
export async function withLock(folder, action, { waitMs = WAIT_MS, onWait } = {}) {
  const ticket = await acquire(folder, waitMs, onWait);
  try {
    return await action();
  } finally {
    writeFileSync(ticket, FREE);
  }
}

/** @param {string} folder @param {number} waitMs @param {((holder: number) => void) | undefined} onWait */
async function acquire(folder, waitMs, onWait) {
  mkdirSync(folder, { recursive: true });
  const deadline = Date.now() + waitMs;
  for (let waited = false; ; waited = true) {
    const highest = highestTicket(folder);
    const holder = liveHolder(folder, highest);
    if (holder === undefined) {
      const ticket = take(folder, highest + 1);
      if (ticket) return ticket;
      continue;
    }
    if (!waited) onWait?.(holder);
    if (Date.now() >= deadline) {
      throw new Error(
        `waited ${Math.round(waitMs / 1000)} s for process ${holder}, which is still at work in ${folder}; ` +
          `if it hangs, end it (kill ${holder}) and run the same command again`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** @param {string} folder @param {number} number @returns {string | undefined} the ticket's path, if it is ours */
function take(folder, number) {
  const ticket = join(folder, `lock-${number}`);
  const draft = join(folder, `draft-${process.pid}`);
  writeFileSync(draft, identity(process.pid), { mode: 0o600 });
  try {
    linkSync(draft, ticket);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return undefined;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  if (highestTicket(folder) !== number) {
    rmSync(ticket, { force: true });
    return undefined;
  }
  for (const older of tickets(folder))
    if (older < number) rmSync(join(folder, `lock-${older}`), { force: true });
  return ticket;
}

/** @param {string} folder */
function tickets(folder) {
  return readdirSync(folder).flatMap((name) => (/^lock-\d+$/.test(name) ? [Number(name.slice(5))] : []));
}

/** @param {string} folder */
function highestTicket(folder) {
  return Math.max(0, ...tickets(folder));
}

/** @param {string} folder @param {number} number @returns {number | undefined} the pid of a holder that is alive */
function liveHolder(folder, number) {
  if (number === 0) return undefined;
  let content = FREE;
  try {
    content = readFileSync(join(folder, `lock-${number}`), "utf8");
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
  if (content === FREE) return undefined;
  const pid = Number.parseInt(content, 10);
  return isAlive(pid) && identity(pid) === content ? pid : undefined;
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM"; // alive, but somebody else's
  }
}

/**
 * The pid and, where the system tells, when that process started: a container that was killed and started again
 * has the same pids.
 * @param {number} pid
 */
function identity(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the command's name in parentheses and may hold anything; the 22nd is the start time.
    return `${pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return `${pid}`;
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
