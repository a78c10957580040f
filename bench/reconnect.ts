/**
 * 5,000 devices in 100 workspaces, each with the link that daemons have, whose broker is killed and started again: how
 * long until each is greeted, counted from the kill. The floor is as many bare WebSockets that all open at once.
 */
import { once } from "node:events";
import WebSocket from "ws";
import { systemClock, systemRandom, systemTimers } from "#adapters/clock.ts";
import { nodeCurves } from "#adapters/curves.ts";
import { dial } from "#daemon/adapters/network.ts";
import { CHAIN, EVERYONE } from "#protocol/ids.ts";
import { createLink, type Link, type LinkOwner } from "#sdk/link/link.ts";
import type { PeerPorts } from "#sdk/ports.ts";
import { type CrowdDevice, foundWorkspace } from "#test/crowd.ts";
import { withBareServer } from "./bare-server.ts";
import { withBroker } from "./broker.ts";
import { type Bench, timed } from "./figure.ts";

const WORKSPACES = 100;
const DEVICES = 50;

export const reconnect: Bench = {
  name: "reconnect",
  run: () =>
    withBroker(
      async (store) => {
        const crowds = [];
        for (let i = 0; i < WORKSPACES; i++) crowds.push(await foundWorkspace(store, `team ${i}`, DEVICES));
        return crowds.flatMap(({ devices }) => devices);
      },
      async (broker, devices) => {
        const crowd = linkAll(broker.url, devices);
        await crowd.allGreeted();
        crowd.forget();
        const start = performance.now();
        await Promise.all([broker.restart(), crowd.allGreeted()]);
        const measured = crowd.greetedAt().map((at) => at - start);
        crowd.stop();
        const bare = await bareSockets(devices.length);
        return [
          {
            name: `the last of ${devices.length.toLocaleString("en-US")} devices back after a broker's restart`,
            measured: [Math.max(...measured)],
            floor: [Math.max(...bare)],
            floorName: "as many bare WebSockets, opened at once",
            target: "≤ 15,000 ms",
          },
        ];
      },
    ),
};

function linkAll(url: string, devices: readonly CrowdDevice[]) {
  const greetedAt = new Map<CrowdDevice, number>();
  let all = () => {};
  const greeted = (device: CrowdDevice) => {
    greetedAt.set(device, performance.now());
    if (greetedAt.size === devices.length) all();
  };
  const links = devices.map((device) => linkOf(url, device, () => greeted(device)));
  for (const link of links) link.start();
  return {
    /** Resolves when each has been greeted since the beginning, or since `forget`. */
    allGreeted: () =>
      new Promise<void>((resolve) => {
        all = resolve;
        if (greetedAt.size === devices.length) resolve();
      }),
    forget: () => greetedAt.clear(),
    greetedAt: () => [...greetedAt.values()],
    stop() {
      for (const link of links) link.stop();
    },
  };
}

function linkOf(url: string, { workspace, member, device }: CrowdDevice, greeted: () => void): Link {
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const unused = () => {
    throw new Error("a link doesn't use this");
  };
  const ports: PeerPorts = {
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    curves: nodeCurves,
    dial,
    log: silent,
    fetchJson: unused,
    stretch: unused,
    keychain: { get: unused, set: unused, remove: unused },
    openDatabase: unused,
    removeDatabase: unused,
  };
  const empty = new Uint8Array(32);
  const keys = { id: device.id, secret: device.seed, key: device.key, certificate: device.certificate };
  const account = {
    user: member,
    name: "",
    rootKey: empty,
    seeds: [{ number: 0, secret: empty }],
    formerly: [],
    device: { ...keys, via: [] },
    home: null,
  };
  // Nothing is new to who comes back at once.
  let known: { logId: string | null; cursor: number } = { logId: null, cursor: 0 };
  const owner: LinkOwner = {
    greeting: () => ({ ...known, last: null, labels: [CHAIN, EVERYONE], invite: null, isNew: false }),
    greeted({ logId, head }) {
      known = { logId, cursor: head };
      greeted();
    },
    pushed() {},
    heard() {},
    outdone() {},
    refused() {},
    changed() {},
  };
  return createLink(ports, account, workspace, url, owner);
}

/** How long each of them takes until the server has said something. */
function bareSockets(count: number): Promise<number[]> {
  return withBareServer(1, async ({ url }) => {
    const sockets = Array.from({ length: count }, () => new WebSocket(url.replace("http", "ws")));
    const times = await Promise.all(sockets.map((ws) => timed(() => once(ws, "message"))));
    for (const ws of sockets) ws.terminate();
    return times;
  });
}
