/** The daemon's service stays down, until a verb, `up` or the next login starts it. */
import { existsSync } from "node:fs";
import { findManager } from "./manager.ts";

/** True when it was running, or about to. */
export async function stopService(home: string): Promise<boolean> {
  const manager = await findManager(home);
  if ("absent" in manager || !existsSync(manager.path)) return false;
  const { state } = await manager.state();
  if (state === "stopped" || state === "failed") return false;
  await manager.stop();
  return true;
}
