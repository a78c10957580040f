/** account.whoami */
import { fromBase64url } from "#protocol/bytes.ts";
import { sha256 } from "#protocol/hash.ts";
import type { Handlers } from "#protocol/registry.ts";
import { fingerprint } from "#sdk/fingerprint.ts";
import type { Caller, Peer } from "#sdk/peer.ts";
import type { DaemonConfig, DaemonPorts } from "../ports.ts";

export function accountHandlers(
  peer: Peer,
  ports: DaemonPorts,
  config: DaemonConfig,
): Handlers<Caller>["account"] {
  return {
    whoami() {
      const { user, name, rootKey, device } = peer.account;
      return {
        userId: user,
        name,
        // Registering at a broker is what `login` will do; until then the account lives on this machine.
        registered: false,
        broker: config.defaultBroker,
        device: { id: device.id, fingerprint: fingerprint(fromBase64url(device.id)) },
        rootFingerprint: fingerprint(sha256(rootKey)),
        stored: [
          { what: "root, seed and device key", where: `${ports.home}/keys` },
          { what: "account and workspaces", where: `${ports.home}/account.db` },
          { what: "messages, one file a workspace", where: `${ports.home}/workspaces` },
        ],
      };
    },
  };
}
