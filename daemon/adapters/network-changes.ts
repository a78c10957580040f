/** Notices that the machine is on another network: its addresses are looked at every few seconds and compared. */
import { networkInterfaces } from "node:os";
import type { Network, Timers } from "#protocol/ports.ts";

const LOOK_MS = 3000;

/** Asking costs a tenth of a millisecond. Nothing is asked while nobody listens. */
export function watchNetwork(timers: Timers, addresses: () => string = ownAddresses): Network {
  const listeners = new Set<() => void>();
  let known = "";
  let cancel = () => {};

  const look = () => {
    const now = addresses();
    const changed = now !== known;
    known = now;
    cancel = timers.after(LOOK_MS, look);
    if (changed) for (const run of listeners) run();
  };

  return {
    onChange(run) {
      if (listeners.size === 0) {
        known = addresses();
        cancel = timers.after(LOOK_MS, look);
      }
      listeners.add(run);
      return () => {
        listeners.delete(run);
        if (listeners.size === 0) cancel();
      };
    },
  };
}

/** Loopback and link-local ones lead to no broker elsewhere, and come and go with every container. */
function ownAddresses(): string {
  return Object.entries(networkInterfaces())
    .flatMap(([name, infos = []]) => infos.map((info) => ({ name, ...info })))
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .map(({ name, address }) => `${name} ${address}`)
    .sort()
    .join("\n");
}
