/** A member's device without a daemon: says hello and sends records that no daemon would. */
import { encodeRecordFrame } from "#protocol/frames.ts";
import { EVERYONE } from "#protocol/ids.ts";
import { encodeHeader, encodeRecord, type Header } from "#protocol/record.ts";
import { type Member, type Mesh, rawConnection, signedHello } from "./mesh.ts";

export type RawDevice = ReturnType<typeof rawConnection>;

/** Connects as the member's device, and answers the connection once it is greeted. */
export async function greeted(mesh: Mesh, member: Member, address = ""): Promise<RawDevice> {
  const raw = rawConnection(mesh, address);
  const { nonce } = await raw.next("challenge");
  raw.send(await signedHello(member, String(nonce)));
  const { standing } = await raw.next("hello_ack");
  if (standing !== "member") throw new Error(`${member.name} is greeted as ${standing}`);
  return raw;
}

/** A record as the member's device could send it, but for its signature, which the broker doesn't check. */
export function recordFrame(
  member: Member,
  header: Partial<Header> = {},
  body = new Uint8Array(300),
): Uint8Array {
  const { user: from, device } = member.peer.account;
  const head = member.opened().workspace.chain()?.head ?? null;
  return encodeRecordFrame({ type: "send" }, recordBytes({ from, dev: device.id, head, ...header }, body));
}

/** A record in epoch 0 that nobody has signed. */
export function recordBytes(
  header: Partial<Header> & Pick<Header, "from" | "dev" | "head">,
  body = new Uint8Array(300),
): Uint8Array {
  const { from, dev, head, ...rest } = header;
  const whole: Header = {
    id: nextId(),
    from,
    dev,
    to: EVERYONE,
    n: 1000,
    epoch: 0,
    head,
    alg: "label",
    kid: "",
    ...rest,
  };
  return encodeRecord(encodeHeader(whole), new Uint8Array(64), body);
}

let minted = 0;

/** A UUIDv7 of now; they sort as they were minted. */
function nextId(): string {
  const time = Date.now().toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${(minted++).toString(16).padStart(12, "0")}`;
}
