/** What an account's devices keep here and change: devices, document, seeds, passphrase, recovery code. */
import { rotateInput, vaultInput } from "#protocol/account/api.ts";
import { loginHash } from "#protocol/account/keys.ts";
import { fromBase64url } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import {
  type AccountPorts,
  conflict,
  type Operations,
  requireIn,
  requireSignature,
  sessionOf,
} from "./asking.ts";
import { badToken } from "./tokens.ts";
import type { Waiting } from "./waiting.ts";

type Calls =
  | "devices"
  | "document"
  | "keepDocument"
  | "seeds"
  | "changePassphrase"
  | "changeRecovery"
  | "rotate";

export function keeping(ports: AccountPorts, documents: Waiting): Operations<Calls> {
  const { accounts, clock, curves } = ports;

  /** @throws MeshError bad_signature */
  const requireRoot = async (user: string, input: Uint8Array, proof: string) => {
    const account = await accounts.account(user);
    if (!account) throw badToken();
    await requireSignature(curves.verify(fromBase64url(account.root), input, fromBase64url(proof)), "root");
  };

  return {
    async devices(_, asking) {
      const { user } = await sessionOf(ports, asking);
      return { devices: await accounts.devices(user) };
    },

    async document({ after, waitMs }, asking) {
      const access = await sessionOf(ports, asking);
      const { user } = access;
      const newer = await documents.until(user, { ms: waitMs, gone: asking.gone }, async () => {
        // While it waits it may be removed itself.
        await requireIn(ports, access);
        const kept = await accounts.document(user);
        return kept.version > after ? kept : null;
      });
      return newer ?? accounts.document(user);
    },

    async keepDocument(document, asking) {
      const { user } = await sessionOf(ports, asking);
      if (!(await accounts.keepDocument(user, document))) {
        throw conflict("Another device changed the account's document first.", "Read it, and try again.");
      }
      documents.tell(user);
      return { version: document.version };
    },

    async seeds(_, asking) {
      const { user, device } = await sessionOf(ports, asking);
      return { seeds: await accounts.seeds(user, device) };
    },

    async changePassphrase({ loginKey, vault, proof }, asking) {
      const { user } = await sessionOf(ports, asking);
      const change = { kind: "passphrase", loginKey, box: vault } as const;
      await requireRoot(user, vaultInput(asking.origin, user, change), proof);
      await accounts.changeLogin(user, { ...change, hash: loginHash(fromBase64url(loginKey)) });
      return {};
    },

    async changeRecovery({ recoveryKey, recovery, proof }, asking) {
      const { user } = await sessionOf(ports, asking);
      const change = { kind: "recovery", loginKey: recoveryKey, box: recovery } as const;
      await requireRoot(user, vaultInput(asking.origin, user, change), proof);
      await accounts.changeLogin(user, { ...change, hash: loginHash(fromBase64url(recoveryKey)) });
      return {};
    },

    async rotate({ proof, ...rotation }, asking) {
      const { user, device } = await sessionOf(ports, asking);
      if (rotation.revoke.includes(device)) {
        throw new MeshError(
          "not_allowed",
          "A device can't remove itself while it renews the seed.",
          "Log it out, or remove it from another device.",
        );
      }
      await requireRoot(user, rotateInput(asking.origin, user, rotation), proof);
      const at = Math.floor(clock.now());
      if (!(await accounts.rotate({ ...rotation, user, by: device, at }))) {
        throw conflict("Another device changed the account first.", "Look at it again, and repeat this.");
      }
      ports.log.info({ user, number: rotation.number }, "an account's seed was renewed");
      documents.tell(user);
      return {};
    },
  };
}
