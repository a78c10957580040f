/** account.whoami: who, and what of it lies where on this machine */
import { fromBase64url } from "#protocol/bytes.ts";
import { sha256 } from "#protocol/hash.ts";
import type { Handlers } from "#protocol/registry.ts";
import { deviceName } from "#sdk/features/account.ts";
import { fingerprint } from "#sdk/fingerprint.ts";
import type { Caller, Peer } from "#sdk/peer.ts";
import { type Brokers, brokerForNew } from "#sdk/which-broker.ts";
import type { DaemonPorts } from "../ports.ts";

export function whoamiHandler(
  peer: Peer,
  ports: DaemonPorts,
  brokers: Brokers,
): Pick<Handlers<Caller>["account"], "whoami"> {
  return {
    whoami() {
      const { user, name, rootKey, device, home } = peer.account;
      const secrets = home ? "seed and device key; the root is in the vault" : "root, seed and device key";
      return {
        userId: user,
        name,
        registered: home !== null,
        email: home?.email ?? null,
        broker: home?.origin ?? brokerForNew(brokers, peer.person),
        device: {
          id: device.id,
          name: deviceName(peer, device.id),
          fingerprint: fingerprint(fromBase64url(device.id)),
        },
        devices: devicesKnown(peer),
        rootFingerprint: fingerprint(sha256(rootKey)),
        trouble: peer.sync.trouble()?.message ?? null,
        stored: [
          { what: secrets, where: `${ports.home}/keys` },
          { what: "account and workspaces", where: `${ports.home}/account.db` },
          { what: "messages, one file a workspace", where: `${ports.home}/workspaces` },
          ...(home ? [{ what: "vault and account document, sealed", where: home.origin }] : []),
        ],
      };
    },
  };
}

/** As the account document has them: without asking the broker, and without those that were revoked. */
function devicesKnown(peer: Peer): { id: string; name: string; you: boolean }[] {
  const own = peer.account.device.id;
  const others = [...peer.person.document.all("device")].filter(
    ([id, { revoked }]) => id !== own && !revoked,
  );
  return [
    { id: own, name: deviceName(peer, own), you: true },
    ...others.map(([id, { name }]) => ({ id, name, you: false })),
  ];
}
