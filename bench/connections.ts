/** What a member's connection that has nothing to say costs the broker in memory, without presence. */
import type WebSocket from "ws";
import { type CrowdDevice, connectDevice, foundWorkspace, openSocket } from "#test/crowd.ts";
import { withBareServer } from "./bare-server.ts";
import { withBroker } from "./broker.ts";
import type { Bench } from "./figure.ts";
import { memoryOf } from "./memory.ts";

const WORKSPACES = 60;
const DEVICES = 50;
/** What the first of them bring into memory is the program's own. */
const WARM_UP = 500;
const AT_ONCE = 50;
const SETTLE_MS = 1500;

type Placed = { device: CrowdDevice; logId: string; head: number };

export const connections: Bench = {
  name: "connections",
  run: () =>
    withBroker(
      async (store) => {
        const placed: Placed[] = [];
        for (let i = 0; i < WORKSPACES; i++) {
          const { devices, logId, head } = await foundWorkspace(store, `team ${i}`, DEVICES);
          placed.push(...devices.map((device) => ({ device, logId, head })));
        }
        return placed;
      },
      async (broker, placed) => {
        const greeted = await each(broker.pid(), placed, async ({ device, logId, head }) => {
          const { ws } = await connectDevice(broker.url, device, { logId, cursor: head });
          return ws;
        });
        const bare = await withBareServer(1, ({ url, pid }) =>
          each(pid, placed, async () => (await openSocket(url)).ws),
        );
        return [
          {
            name: "memory of a connection without presence",
            unit: "KiB",
            measured: [greeted],
            floor: [bare],
            floorName: "a connection of a bare ws server",
            target: "≤ 16 KiB",
          },
        ];
      },
    ),
};

/** KiB that each connection adds. */
async function each(
  pid: number,
  placed: readonly Placed[],
  open: (one: Placed) => Promise<WebSocket>,
): Promise<number> {
  const sockets: WebSocket[] = [];
  const openTo = async (count: number) => {
    while (sockets.length < count) {
      const group = placed.slice(sockets.length, Math.min(count, sockets.length + AT_ONCE));
      sockets.push(...(await Promise.all(group.map(open))));
    }
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    return memoryOf(pid).resident;
  };
  const before = await openTo(WARM_UP);
  const after = await openTo(placed.length);
  for (const ws of sockets) ws.terminate();
  return (after - before) / (placed.length - WARM_UP) / 1024;
}
