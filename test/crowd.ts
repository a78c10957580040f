/** Many devices without daemons: their workspaces straight into a store, their hellos straight onto real sockets. */
import WebSocket from "ws";
import { nodeCurves } from "#adapters/curves.ts";
import type { NewRecord, Store } from "#broker/store/store.ts";
import { toBase64url } from "#protocol/bytes.ts";
import { encodeFrame, type Hello, helloInput } from "#protocol/frames.ts";
import { CHAIN, EVERYONE } from "#protocol/ids.ts";
import { decodeRecord } from "#protocol/record.ts";
import type { ChainHead } from "#protocol/schema.ts";
import { PROTOCOL_VERSION } from "#protocol/version.ts";
import { found } from "./chain-builder.ts";
import { deviceOf, fixedBytes, type Person, person, type TestDevice } from "./person.ts";
import { recordBytes } from "./raw-device.ts";

export type CrowdDevice = { workspace: string; member: string; device: TestDevice; head: ChainHead };

/** A workspace whose owner has that many devices, in epoch 0; it ends at the sequence `head`. */
export async function foundWorkspace(
  store: Pick<Store, "commit">,
  name: string,
  count: number,
): Promise<{ devices: CrowdDevice[]; head: number; logId: string }> {
  const owner = await person(name);
  const chain = await found(owner, name);
  await chain.epoch(owner);
  const devices = [owner.device, ...(await moreDevices(owner, count - 1))];
  for (const device of devices.slice(1)) await chain.addDevice(owner, device);
  const { workspace, state } = chain;
  const records = chain.steps.map(({ bytes, sequence }) => newRecord(workspace, sequence, bytes));
  const logId = toBase64url(fixedBytes(name, 16));
  await store.commit({ workspaces: [{ id: workspace, logId }], records, invites: [] });
  return {
    devices: devices.map((device) => ({ workspace, member: owner.id, device, head: state.head })),
    head: chain.sequence - 1,
    logId,
  };
}

function moreDevices(owner: Person, count: number): Promise<TestDevice[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => deviceOf(owner, `device ${i}`)));
}

/** Records to everyone, said by the device, as the broker would have committed them behind `head`. */
export async function fillLog(
  store: Pick<Store, "commit">,
  { workspace, member, device, head: chain }: CrowdDevice,
  head: number,
  { count, bytes }: { count: number; bytes: number },
): Promise<void> {
  const said = { from: member, dev: device.id, to: EVERYONE, head: chain };
  for (let done = 0; done < count; ) {
    const size = Math.min(500, count - done);
    const records = Array.from({ length: size }, (_, i) =>
      newRecord(workspace, head + done + i + 1, recordBytes(said, new Uint8Array(bytes))),
    );
    await store.commit({ workspaces: [], records, invites: [] });
    done += size;
  }
}

/** Young enough for any retention. */
const FILLED_AT = Date.now() - 3_600_000;

function newRecord(workspace: string, seq: number, bytes: Uint8Array): NewRecord {
  const { id, from: sender, to: label } = decodeRecord(bytes).header;
  return { workspace, seq, at: FILLED_AT + seq, sender, id, label, bytes, cell: null };
}

/** What a WebSocket begins with, for those that are spoken by hand. */
export const UPGRADE = [
  "GET / HTTP/1.1",
  "Host: broker",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
].join("\r\n");

export type Said = Record<string, unknown>;

export type DeviceSocket = {
  ws: WebSocket;
  /** The next control frame of that type, or of any; the others before it are skipped. */
  next(type?: string): Promise<Said>;
  /** Binary frames that came: records pushed, and items of pages. */
  records(): number;
  /** Resolves with the close code. */
  closed: Promise<number>;
};

/** Opened, and nothing said yet. */
export async function openSocket(url: string): Promise<DeviceSocket> {
  const ws = new WebSocket(url.replace(/^http/, "ws"), { perMessageDeflate: false });
  let records = 0;
  const heard: Said[] = [];
  const waiting: ((said: Said | null) => void)[] = [];
  ws.on("message", (data, isBinary) => {
    if (isBinary) {
      records++;
      return;
    }
    const said: Said = JSON.parse(String(data));
    const next = waiting.shift();
    if (next) next(said);
    else heard.push(said);
  });
  const closed = new Promise<number>((resolve) => ws.on("close", resolve));
  let isClosed = false;
  closed.then(() => {
    isClosed = true;
    for (const next of waiting) next(null);
  });
  const nextSaid = async (): Promise<Said | null> =>
    heard.shift() ?? (isClosed ? null : new Promise((resolve) => waiting.push(resolve)));
  await new Promise<void>((resolve, reject) => {
    ws.once("open", resolve);
    ws.on("error", reject);
  });
  return {
    ws,
    closed,
    records: () => records,
    async next(type) {
      for (;;) {
        const said = await nextSaid();
        if (said === null) throw new Error(`the connection ended before it said "${type}"`);
        if (type === undefined || said.type === type) return said;
        if (said.type === "error" && type !== "error")
          throw Object.assign(new Error(String(said.code)), said);
      }
    },
  };
}

/** Greeted as a member; its hello waits for `ready`. Throws an Error that carries the error frame where the broker refuses. */
export async function connectDevice(
  url: string,
  who: CrowdDevice,
  claims: Partial<Pick<Hello, "cursor" | "labels" | "logId">> = {},
  ready?: () => Promise<void>,
): Promise<DeviceSocket> {
  const socket = await openSocket(url);
  const { nonce } = await socket.next("challenge");
  const hello = await helloOf(url, who, String(nonce), claims);
  await ready?.();
  socket.ws.send(hello);
  await socket.next("hello_ack");
  return socket;
}

export async function helloOf(
  url: string,
  { workspace, member, device }: CrowdDevice,
  nonce: string,
  claims: Partial<Pick<Hello, "cursor" | "labels" | "logId">> = {},
): Promise<string> {
  const hello = {
    protocol: PROTOCOL_VERSION,
    origin: new URL(url).origin,
    workspace,
    member,
    key: toBase64url(device.key),
    logId: null,
    cursor: 0,
    last: null,
    labels: [CHAIN, EVERYONE],
    ...claims,
  };
  const signature = toBase64url(await nodeCurves.sign(device.seed, helloInput(nonce, hello)));
  return encodeFrame({ type: "hello", ...hello, signature });
}
