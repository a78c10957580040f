/** The person's devices. */
import type { AccountDevice } from "#protocol/account/api.ts";
import { toBase64url } from "#protocol/bytes.ts";
import { deviceLine } from "#protocol/certificate.ts";
import { MeshError } from "#protocol/errors.ts";
import type { ListedDevice } from "#protocol/features/account.ts";
import { didYouMean } from "#protocol/nearest.ts";
import type { Handlers } from "#protocol/registry.ts";
import { devicesOf } from "../account/devices.ts";
import { openedRoot } from "../account/login.ts";
import { offerPairing, PAIRING_MS } from "../account/pairing.ts";
import type { Caller, Peer } from "../peer.ts";
import { deviceName, goneOf } from "./account.ts";

export function deviceHandlers(peer: Peer): Handlers<Caller>["device"] {
  return {
    list: async () => ({ devices: await listed(peer) }),
    async rename({ device, name }) {
      const { id } = findDevice(await listed(peer), device);
      peer.person.document.set("device", id, { name });
      return { id, name };
    },
    async add(_, caller, emit) {
      const show = (code: string, broker: string) => emit({ code, broker, expiresInMs: PAIRING_MS });
      const paired = await offerPairing(peer.ports, peer.account, show, goneOf(caller));
      peer.person.document.set("device", paired.id, { name: paired.name });
      return paired;
    },
    async revoke({ device, passphrase }) {
      const found = findDevice(await listed(peer), device);
      if (found.you) throw ownDevice();
      if (found.revoked)
        throw new MeshError(
          "conflict",
          `${found.name} is revoked already.`,
          "See `claudemesh devices list`.",
        );
      const root = await openedRoot(peer.ports, peer.account, passphrase);
      const { fallen, waiting } = await peer.renewSeed(root, [found.id]);
      const revoked = fallen.map((id) => ({ id, name: deviceName(peer, id) }));
      for (const { id, name } of revoked) peer.person.document.set("device", id, { name, revoked: true });
      return { revoked, waiting };
    },
  };
}

async function listed(peer: Peer): Promise<ListedDevice[]> {
  const { account } = peer;
  const link = peer.person.homeLink();
  const now = new Date(peer.now()).toISOString();
  if (!link) {
    const { id } = account.device;
    const own = { id, name: deviceName(peer, id), you: true, enteredAt: now, lastSeen: now };
    return [{ ...own, revoked: false, pairedBy: null }];
  }
  const devices = await devicesOf(peer.ports, account, link);
  return devices.map((one) => shown(peer, one)).toSorted((a, b) => (a.enteredAt < b.enteredAt ? -1 : 1));
}

function shown(peer: Peer, { id, entry, enteredAt, lastSeenAt, revoked }: AccountDevice): ListedDevice {
  const [, by] = deviceLine(entry.device);
  return {
    id,
    name: deviceName(peer, id),
    you: entry.device.key === toBase64url(peer.account.device.key),
    enteredAt: new Date(enteredAt).toISOString(),
    lastSeen: new Date(lastSeenAt).toISOString(),
    revoked,
    pairedBy: by ? deviceName(peer, by) : null,
  };
}

/** By its id, a unique part of one, or its name. @throws MeshError not_found, ambiguous */
export function findDevice(devices: readonly ListedDevice[], text: string): ListedDevice {
  const fits = ({ id, name }: ListedDevice) =>
    id === text || name === text || (text.length >= 4 && (id.startsWith(text) || id.endsWith(text)));
  const [found, another] = devices.filter(fits);
  if (found && !another) return found;
  if (found)
    throw new MeshError("ambiguous", `Several of your devices fit "${text}".`, "Take more of its id.");
  const names = devices.map(({ name }) => name);
  throw new MeshError(
    "not_found",
    `You have no device "${text}".`,
    didYouMean(text, names, "See `claudemesh devices list`."),
  );
}

function ownDevice(): MeshError {
  return new MeshError(
    "refused",
    "That is the device that you are at.",
    "Log out here (claudemesh logout), or revoke it from another device.",
  );
}
