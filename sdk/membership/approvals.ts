/**
 * Invites by e-mail, with those who may invite. All of them see who asks; the device that made an invite alone has its
 * secret, so it alone can let in. The broker tells who asks, and may lie: the words that people compare are made here,
 * of the key that is sealed to.
 */
import { concat, fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { activeMember, type Invite, inviteState, mayInvite } from "#protocol/chain/state.ts";
import { inviteAnswerKey, pairKey } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Requested } from "#protocol/frames.ts";
import { isGenuine, requestWords } from "#protocol/join-request.ts";
import { wrapKey } from "#protocol/key-box.ts";
import { sealingPair } from "../account/account.ts";
import type { Context } from "../context.ts";
import type { Link } from "../link/link.ts";
import { forgetInvite, type InviteSecret, keepInvite, keptInvite } from "./invite.ts";

/** Somebody who asks; `words` stand for exactly their keys. */
export type Asking = { code: string; user: string; at: number; words: string; sealing: string };

const LINK_WAIT_MS = 5000;

export type Approvals = {
  /** Keeps the invite's secret and has its link sent. @throws MeshError refused, busy, offline */
  send(invite: InviteSecret, email: string): Promise<void>;
  /** Where the link was sent; null for invites that weren't mailed from here. */
  emailOf(code: string): string | null;
  /** Who waits, oldest first, as far as it is known here. */
  waiting(): Asking[];
  /** Lets in whoever has these words. @throws MeshError not_allowed, not_found, bad_data, offline */
  approve(code: string, words: string): Promise<Asking>;
  heard(frame: Requested): void;
  linkUp(): void;
  /** The chain has moved on: what can't be used any more is forgotten. */
  chainChanged(): void;
};

export function createApprovals(context: Context, link: () => Pick<Link, "ask" | "state"> | null): Approvals {
  const { ports, account, workspace, replica } = context;
  const { db } = replica;
  const { keychain, curves, random } = ports;

  const inviteOf = (code: string): Invite | undefined => context.chain.known.state?.invites.get(code);
  const isOpen = (code: string) => {
    const invite = inviteOf(code);
    return invite !== undefined && inviteState(invite, ports.clock.now()) === "open";
  };
  const madeHere = () =>
    db
      .sql("SELECT code FROM mailed_invites")
      .all()
      .map((row) => String(row.code));
  /** Those that somebody may ask by, where this is ours to see. */
  const watched = (): string[] => {
    const { state } = context.chain.known;
    const role = state && activeMember(state, context.me)?.role;
    if (!state || !role || !mayInvite(role)) return [];
    return [...state.invites.values()]
      .filter(({ mail, code }) => mail && isOpen(code))
      .map(({ code }) => code);
  };

  const ask: Link["ask"] = async (type, frame) => {
    const one = link();
    if (!one)
      throw new MeshError(
        "offline",
        "This workspace has no broker.",
        "Start one: claudemesh up --broker URL",
      );
    await context.changed.until(() => (one.state() === "online" ? true : null), LINK_WAIT_MS, "the broker");
    return one.ask(type, frame);
  };

  /** Replaces what was known of the invite: who was let in, or gave up, asks no more. */
  const take = async ({ code, requests }: Requested): Promise<void> => {
    if (!watched().includes(code) || context.closed) return;
    const genuine: Requested["requests"] = [];
    for (const { at, request } of requests) {
      if (await isGenuine(curves, workspace, code, request)) genuine.push({ at, request });
    }
    if (context.closed) return;
    const known = new Set(waiting().map(({ user, words }) => `${user} ${words}`));
    db.transaction(() => {
      db.sql("DELETE FROM join_requests WHERE code = ?").run(code);
      for (const { at, request } of genuine) {
        const words = requestWords(workspace, code, request);
        db.sql("INSERT INTO join_requests (code, user, at, words, sealing) VALUES (?, ?, ?, ?, ?)").run(
          code,
          request.user,
          at,
          words,
          request.sealing,
        );
      }
    });
    const fresh = waiting().filter(({ user, words }) => !known.has(`${user} ${words}`));
    context.tell({ type: "asked", fresh });
  };

  const refresh = async (code: string) =>
    take(await ask("requested", (request) => ({ type: "requests", request, code })));

  const waiting = (): Asking[] => {
    const open = new Set(watched());
    return db
      .sql("SELECT * FROM join_requests ORDER BY at")
      .all()
      .map((row) => ({
        code: String(row.code),
        user: String(row.user),
        at: Number(row.at),
        words: String(row.words),
        sealing: String(row.sealing),
      }))
      .filter(({ code }) => open.has(code));
  };

  const forgetClosed = () => {
    for (const code of madeHere()) if (inviteOf(code) && !isOpen(code)) forgetInvite(keychain, code);
  };

  return {
    async send(invite, email) {
      const { code } = invite;
      keepInvite(keychain, invite);
      db.sql("INSERT OR REPLACE INTO mailed_invites (code, email) VALUES (?, ?)").run(code, email);
      await ask("mailed", (request) => ({ type: "mail", request, code, email }));
    },
    emailOf(code) {
      const row = db.sql("SELECT email FROM mailed_invites WHERE code = ?").get(code);
      return row ? String(row.email) : null;
    },
    waiting,
    async approve(code, words) {
      const secret = keptInvite(keychain, code);
      if (!secret || !isOpen(code)) throw notHere(inviteOf(code), isOpen(code));
      await refresh(code);
      const asking = fitting(
        waiting().filter((one) => one.code === code),
        words,
      );
      const { user } = asking;
      const own = await sealingPair(ports, account, workspace);
      const pair = await pairKey(curves, own.secret, fromBase64url(asking.sealing));
      const wrapping = inviteAnswerKey(pair, workspace, code, user);
      const box = wrapKey(wrapping, concat(secret.secret, secret.head), random);
      const answer = { sealing: toBase64url(own.key), box: toBase64url(box) };
      await ask("answered", (request) => ({ type: "answer", request, code, user, answer }));
      return asking;
    },
    heard: (frame) => void take(frame).catch(context.failed),
    linkUp() {
      forgetClosed();
      for (const code of watched()) {
        refresh(code).catch((error) => {
          if (!(error instanceof MeshError)) context.failed(error);
        });
      }
    },
    chainChanged: forgetClosed,
  };
}

/** The one with exactly these words. @throws MeshError not_found, bad_data */
function fitting(waiting: readonly Asking[], words: string): Asking {
  if (waiting.length === 0) {
    throw new MeshError(
      "not_found",
      "Nobody asks to join by this invite at the moment.",
      "See `claudemesh invite list`.",
    );
  }
  const said = words
    .toLowerCase()
    .trim()
    .split(/[\s,-]+/);
  const wrong = waiting.map((one) => {
    const theirs = one.words.split(" ");
    return Math.max(theirs.length, said.length) - theirs.filter((word, i) => word === said[i]).length;
  });
  const fits = waiting[wrong.indexOf(0)];
  if (fits) return fits;
  throw new MeshError(
    "bad_data",
    `These words fit nobody who asks: ${Math.min(...wrong)} of them are others, at best.`,
    "Ask for the words again. If they are right, somebody in between swapped the request: let nobody in.",
  );
}

function notHere(invite: Invite | undefined, isOpen: boolean): MeshError {
  if (!invite) {
    return new MeshError("invite_not_found", "There is no such invite.", "See `claudemesh invite list`.");
  }
  if (!isOpen) {
    return new MeshError("refused", "This invite lets nobody in any more.", "Create another invite.");
  }
  return new MeshError(
    "not_allowed",
    "This invite's secret isn't on this device.",
    "Whoever made it approves, on the device that it was made on.",
  );
}
