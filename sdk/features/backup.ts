/** Backups of the person. */
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import type { Handlers } from "#protocol/registry.ts";
import { makeBackup, openedBackup, restoreBackup } from "../account/backup.ts";
import type { Caller, Peer } from "../peer.ts";
import type { Brokers } from "../which-broker.ts";
import { deviceName } from "./account.ts";

export function backupHandlers(
  peer: Peer,
  brokers: Brokers,
): Pick<Handlers<Caller>["account"], "backup" | "restore"> {
  return {
    async backup({ passphrase, rootPassphrase }) {
      const { file, backup, left } = await makeBackup(peer, brokers, passphrase, rootPassphrase);
      const workspaces = backup.workspaces.map(({ slug }) => slug);
      return { file: toBase64url(file), workspaces, left, root: backup.root !== null };
    },
    async restore({ file, passphrase }) {
      const backup = await openedBackup(peer.ports, fromBase64url(file), passphrase);
      const { isNewDevice } = await restoreBackup(peer, brokers, backup);
      const { user, name, device } = peer.account;
      return {
        userId: user,
        name,
        device: { id: device.id, name: deviceName(peer, device.id) },
        workspaces: peer.opened().map(({ slug }) => slug),
        isNewDevice,
      };
    },
  };
}
