/**
 * Asking to join by an invite that came by e-mail: a request to the broker, six words to tell the inviter, and waiting
 * for the sealed answer, over restarts, until there is one or the invite lets nobody in any more.
 */
import { z } from "zod";
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { inviteAnswerKey, memberSealingSecret, pairKey } from "#protocol/derive.ts";
import { ERRORS, errorShape, fromErrorShape, MeshError } from "#protocol/errors.ts";
import type { InviteAddress } from "#protocol/invite-link.ts";
import {
  type Claim,
  type JoinRequest,
  joinAnswer,
  joinRequestInput,
  requestWords,
} from "#protocol/join-request.ts";
import { unwrapKey } from "#protocol/key-box.ts";
import type { Database } from "#protocol/ports.ts";
import { type Role, role } from "#protocol/schema.ts";
import { type Account, sealingPair } from "../account/account.ts";
import type { Person } from "../account/person.ts";
import { createCondition } from "../condition.ts";
import type { PeerPorts } from "../ports.ts";
import { refusalOf } from "../refusal.ts";
import { type InviteSecret, inviteFromBytes } from "./invite.ts";
import { lookUpInvite } from "./look-up.ts";

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;

const taken = z.object({ role });
const answered = z.object({ answer: z.unknown() });

export type Asked = { workspace: string; role: Role; words: string };

export type AskingToJoin = {
  /** Asks, or goes on where it was asked before. @throws MeshError invite_…, conflict, busy, slow_down, offline */
  ask(address: InviteAddress): Promise<Asked>;
  /** The workspace once somebody let us in; null when nobody has after `waitMs`. @throws MeshError invite_…, bad_seal, not_found */
  answered(code: string, waitMs: number): Promise<string | null>;
  /** The person goes: whatever was asked for is of no more use here. */
  forget(): void;
  start(): void;
  stop(): void;
};

type Row = InviteAddress & Asked;

/** `cancel`: null while the broker is being asked. */
type Turn = { row: Row; delayMs: number; cancel: (() => void) | null };

export function createAskingToJoin(
  ports: PeerPorts,
  person: Pick<Person, "account">,
  database: Database,
  /** Opens the workspace and joins it. */
  join: (workspace: string, broker: string, invite: InviteSecret) => Promise<unknown>,
): AskingToJoin {
  const { curves, timers, fetchJson } = ports;
  const changed = createCondition(timers);
  /** How those ended that this process has seen the end of. */
  const outcomes = new Map<string, string | MeshError>();
  /** What is looked at from time to time, by code. */
  const turns = new Map<string, Turn>();

  const rows = (): Row[] =>
    database
      .sql("SELECT * FROM join_requests")
      .all()
      .map((row) => ({
        code: String(row.code),
        broker: String(row.broker),
        workspace: String(row.workspace),
        role: role.parse(row.role),
        words: String(row.words),
      }));

  const claimOf = async (account: Account, workspace: string): Promise<Claim> => {
    const { key } = await sealingPair(ports, account, workspace);
    return { user: account.user, root: toBase64url(account.rootKey), sealing: toBase64url(key) };
  };

  const requestFor = async (workspace: string, code: string): Promise<JoinRequest> => {
    const account = person.account();
    const claim = await claimOf(account, workspace);
    const { secret, key, certificate, via } = account.device;
    return {
      ...claim,
      device: { key: toBase64url(key), certificate: toBase64url(certificate), via: [...via] },
      signature: toBase64url(await curves.sign(secret, joinRequestInput(workspace, code, claim))),
    };
  };

  const post = async ({ broker, code }: InviteAddress): Promise<Row> => {
    const workspace = await lookUpInvite(fetchJson, broker, code);
    const request = await requestFor(workspace, code);
    const { status, body } = await fetchJson(requestsOf({ broker, code }), { body: request, headers: {} });
    if (status !== 201) throw refusalOf(broker, status, body);
    const answer = taken.safeParse(body);
    if (!answer.success)
      throw new MeshError("version_skew", `${broker} answers in another form.`, "Update the older side.");
    const { role } = answer.data;
    const row = { broker, code, workspace, role, words: requestWords(workspace, code, request) };
    database
      .sql(
        `INSERT OR REPLACE INTO join_requests (code, broker, workspace, role, words) VALUES (?, ?, ?, ?, ?)`,
      )
      .run(code, broker, workspace, role, row.words);
    return row;
  };

  /** The one that was posted, as long as it says what we would say today: with a newer seed we would say another thing. */
  const posted = async (code: string): Promise<Row | null> => {
    const row = rows().find((one) => one.code === code);
    if (!row) return null;
    const words = requestWords(row.workspace, code, await claimOf(person.account(), row.workspace));
    return words === row.words ? row : null;
  };

  const finish = (code: string, outcome: string | MeshError) => {
    database.sql("DELETE FROM join_requests WHERE code = ?").run(code);
    turns.delete(code);
    outcomes.set(code, outcome);
    if (outcome instanceof MeshError) ports.log.info({ code: outcome.code }, "a request to join has ended");
    changed.notify();
  };

  /** By whichever seed it was sealed to. @throws MeshError bad_seal */
  const open = async ({ code, workspace }: Row, answer: unknown): Promise<InviteSecret> => {
    const { user, seeds } = person.account();
    const parsed = joinAnswer.safeParse(answer);
    for (const seed of parsed.success ? seeds.toReversed() : []) {
      const secret = memberSealingSecret(seed.secret, user, workspace, seed.number);
      const pair = await pairKey(curves, secret, fromBase64url(parsed.data?.sealing ?? ""));
      const wrapping = inviteAnswerKey(pair, workspace, code, user);
      const opened = unwrapKey(wrapping, fromBase64url(parsed.data?.box ?? ""));
      if (opened) return { code, ...inviteFromBytes(opened) };
    }
    throw new MeshError(
      "bad_seal",
      "The answer to the request can't be opened.",
      "Tell whoever invited you, and ask to be invited again.",
    );
  };

  const look = async (turn: Turn): Promise<void> => {
    const { row } = turn;
    const { broker, code, workspace } = row;
    const isOver = () => turns.get(code) !== turn;
    try {
      const { status, body } = await fetchJson(`${requestsOf(row)}/${person.account().user}`);
      if (isOver()) return;
      if (status !== 200) throw refusalOf(broker, status, body);
      const answer = answered.safeParse(body).data?.answer ?? null;
      if (answer === null) return wait(turn);
      await join(workspace, broker, await open(row, answer));
      finish(code, workspace);
    } catch (error) {
      if (isOver()) return;
      const why = error instanceof MeshError ? error : fromErrorShape(errorShape(error));
      if (ERRORS[why.code].retry) return wait(turn);
      finish(code, why);
    }
  };

  const wait = (turn: Turn) => {
    turn.cancel = timers.after(turn.delayMs, () => {
      turn.cancel = null;
      turn.delayMs = Math.min(LONGEST_DELAY_MS, turn.delayMs * 1.5);
      void look(turn);
    });
  };

  /** From now on, and soon, however long it has waited. */
  const follow = (row: Row) => {
    const known = turns.get(row.code);
    const turn: Turn = known ?? { row, delayMs: 0, cancel: null };
    turn.row = row;
    turn.delayMs = FIRST_DELAY_MS;
    if (known && !known.cancel) return;
    turn.cancel?.();
    turns.set(row.code, turn);
    wait(turn);
  };

  const stop = () => {
    for (const { cancel } of turns.values()) cancel?.();
    turns.clear();
  };

  return {
    async ask(address) {
      const { code } = address;
      const row = (await posted(code)) ?? (await post(address));
      outcomes.delete(code);
      follow(row);
      return row;
    },
    async answered(code, waitMs) {
      const outcome = () => {
        const known = outcomes.get(code) ?? null;
        if (known instanceof MeshError) throw known;
        return known;
      };
      try {
        return await changed.until(outcome, waitMs, "the inviter's approval");
      } catch (error) {
        if (error instanceof MeshError && error.code === "timeout") return null;
        throw error;
      }
    },
    forget() {
      stop();
      database.sql("DELETE FROM join_requests").run();
    },
    start() {
      for (const row of rows()) follow(row);
    },
    stop,
  };
}

function requestsOf({ broker, code }: InviteAddress): string {
  return `${broker}/v1/invites/${code}/requests`;
}
