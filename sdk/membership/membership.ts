/** What this member does to the chain: found, invite, join, leave, seal keys to newcomers, begin epochs. */
import type { ChainEntry } from "#protocol/chain/entries.ts";
import { activeMember, awaitingKey, type ChainState, currentEpoch } from "#protocol/chain/state.ts";
import { inviteSeed } from "#protocol/derive.ts";
import { ERRORS, MeshError } from "#protocol/errors.ts";
import type { HelloAck } from "#protocol/frames.ts";
import { decodeRecord } from "#protocol/record.ts";
import { type Account, sealingPair } from "../account/account.ts";
import type { Context } from "../context.ts";
import type { Answers } from "../link/answers.ts";
import type { PeerPorts } from "../ports.ts";
import { createWorker } from "../worker.ts";
import { draftJoin, nextPlace, requireHead, signEntry } from "./chain.ts";
import type { InviteSecret } from "./invite.ts";
import type { Keyring } from "./keyring.ts";
import { createRootEntries, endsHere, type RootEntries } from "./root-entries.ts";

export type Membership = {
  /** Appends what `draft` makes of the current chain; made anew when the chain moved on. Null: nothing is left to do. */
  propose(draft: (chain: ChainState) => Promise<ChainEntry | null>, waitMs: number): Promise<ChainState>;
  /** This device, and what the root has signed. */
  rootEntries: RootEntries;
  /** A new epoch where the current one is stale, without waiting for something to be said. */
  renewKey(waitMs: number): Promise<ChainState>;
  /** Looks what the chain asks of this member now, and does it. */
  react(): void;
};

export type MembershipOwner = {
  context: Context;
  answers: Pick<Answers, "transmit">;
  /** Connects anew, in another standing. */
  renew(): void;
  /** The join is over: `error` says why it can't be, null that it is done. */
  joined(error: MeshError | null): void;
};

/** Until a colleague's daemon would have done it: the inviter goes first, the others only if it is away. */
const OTHERS_WAIT_MS = 500;
const RETRY_MS = 1000;
const REACTION_LIMIT_MS = 30_000;

export function createMembership(
  ports: PeerPorts,
  account: Account,
  keyring: Keyring,
  owner: MembershipOwner,
): Membership {
  const { context } = owner;
  const { transmit } = owner.answers;
  const { workspace, changed } = context;
  let proposals: Promise<unknown> = Promise.resolve();

  /** This device's next running number on the chain's label. */
  const nextNumber = () =>
    1 +
    context.replica.chain().filter(({ bytes }) => decodeRecord(bytes).header.dev === account.device.id)
      .length;

  /** Whether the chain is here up to what the broker had when the link came up. */
  const isCurrent = () => {
    const ack = context.greeting;
    const { placed } = context.chain;
    return ack !== null && placed.hashes.length > (ack.chain?.height ?? -1) ? ack : null;
  };

  /** Current, and nothing of a workspace founded here is still to be sent: what is new stands on it. */
  const mayAppend = () =>
    context.isPlaced() && context.greeting?.standing !== "founding" ? isCurrent() : null;

  const attempt = async (
    draft: (chain: ChainState) => Promise<ChainEntry | null>,
    deadline: number,
  ): Promise<ChainState> => {
    for (;;) {
      const left = () => Math.max(1, deadline - ports.clock.now());
      await changed.until(mayAppend, left(), "the broker");
      const view = context.chain.known;
      if (!view.state)
        throw new MeshError("unknown_workspace", "The workspace has no beginning yet.", "Try again.");
      const entry = await draft(view.state);
      if (!entry) return view.state;
      const place = nextPlace(view, context.newId(), nextNumber());
      const record = await signEntry(ports, account, workspace, place, entry);
      try {
        await transmit(record);
      } catch (error) {
        if (!(error instanceof MeshError)) throw error;
        if (error.code !== "offline" && ERRORS[error.code].retry) {
          // Nothing has changed but the time: a full disk, a broker that is busy.
          await new Promise<void>((resolve) => ports.timers.after(Math.min(RETRY_MS, left()), resolve));
          if (left() === 1) throw error;
          continue;
        }
        if (error.code !== "chain_conflict" && error.code !== "offline") throw error;
        // Made anew on the next head, and only if it still makes sense there.
        await changed.until(
          () => (context.chain.known === view && context.greeting ? null : true),
          left(),
          "the chain to move on",
        );
        continue;
      }
      // Who has left is shown nothing more, not even this.
      if (endsHere(entry, account)) return view.state;
      const height = (place.head?.height ?? -1) + 1;
      return changed.until(
        () => (context.chain.placed.hashes.length > height ? context.chain.placed.state : null),
        left(),
        "the entry to come back",
      );
    }
  };

  const propose: Membership["propose"] = (draft, waitMs) => {
    const deadline = ports.clock.now() + waitMs;
    const result = proposals.then(() => attempt(draft, deadline));
    proposals = result.catch(() => {});
    return result;
  };

  const rootEntries = createRootEntries(account, propose);

  const join = async (invite: InviteSecret) => {
    requireHead(context.chain.known, invite.head);
    await propose(async (chain) => {
      if (activeMember(chain, account.user)) return null;
      const known = chain.invites.get(invite.code);
      if (!known) throw new MeshError("invite_not_found", "There is no such invite.", "Ask for a new link.");
      const key = await ports.curves.signingPublicKey(inviteSeed(invite.secret));
      if (known.key.some((byte, i) => byte !== key[i])) {
        throw new MeshError(
          "invite_bad_signature",
          "The link's secret doesn't fit the invite.",
          "Copy the link again.",
        );
      }
      const sealing = await sealingPair(ports, account, workspace);
      return draftJoin(ports, account, workspace, sealing, invite);
    }, REACTION_LIMIT_MS);
    owner.renew();
  };

  /** With the key in the link: sealed to myself first, as the link's secret is forgotten then. Else somebody seals it to me. */
  const finishJoin = async (invite: InviteSecret) => {
    const isMissing = (chain: ChainState) => awaitingKey(chain).find(({ id }) => id === account.user);
    await propose(async (chain) => {
      const me = isMissing(chain);
      if (!me || !keyring.unwrapFrom(chain, invite)) return null;
      return chain.stale ? keyring.newEpoch(chain) : keyring.sealTo(chain, [me]);
    }, REACTION_LIMIT_MS);
    owner.joined(null);
  };

  const bringThisDevice = async () => {
    await rootEntries.addDevice(REACTION_LIMIT_MS);
    owner.renew();
  };

  /** What the broker's log lacks goes first, in its order: of a workspace founded here, or of a log that lost it. */
  const sendMissing = async (standing: HelloAck["standing"]) => {
    const missing = context.replica.chain().slice(context.chain.placed.hashes.length);
    const [first] = missing;
    if (!first) return;
    if (standing === "founding") {
      await transmit(first.bytes);
      owner.renew();
    } else {
      for (const { bytes } of missing) await transmit(bytes);
    }
  };

  const handOverKeys = async (chain: ChainState) => {
    const epoch = currentEpoch(chain);
    const waiting = awaitingKey(chain);
    if (!epoch || waiting.length === 0 || !context.heads.areReached() || !keyring.workspaceKey(epoch.number))
      return;
    if (!waiting.some((member) => member.invitedBy === account.user)) {
      await new Promise<void>((resolve) => ports.timers.after(OTHERS_WAIT_MS, resolve));
    }
    await propose(async (now) => {
      if (now.stale) return keyring.newEpoch(now);
      const stillWaiting = awaitingKey(now);
      return stillWaiting.length > 0 ? keyring.sealTo(now, stillWaiting) : null;
    }, REACTION_LIMIT_MS);
  };

  const reactOnce = async () => {
    const ack = isCurrent();
    const { state } = context.chain.known;
    if (!ack) return;
    if (!context.isPlaced()) return sendMissing(ack.standing);
    const invite = context.invite;
    const isMember = state !== null && activeMember(state, account.user) !== undefined;
    if (ack.standing === "joining" && isMember) return bringThisDevice();
    if (ack.standing === "joining" && invite) return join(invite);
    if (ack.standing === "member" && invite && isMember) await finishJoin(invite);
    if (ack.standing === "member" && state) await handOverKeys(state);
  };

  const react = createWorker(reactOnce, (error) => {
    const why = error instanceof MeshError ? error : null;
    if (why && context.invite && why.code !== "timeout" && why.code !== "offline") owner.joined(why);
    ports.log.warn({ workspace, code: why?.code ?? "unexpected" }, "the chain was not extended");
  });

  return {
    propose,
    rootEntries,
    renewKey: (waitMs) => propose(async (chain) => (chain.stale ? keyring.newEpoch(chain) : null), waitMs),
    react,
  };
}
