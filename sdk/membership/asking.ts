/**
 * Asking to join by an invite that came by e-mail: a request to the broker, six words to tell the inviter, and waiting
 * for the sealed answer, over restarts, until there is one or the invite lets nobody in any more.
 */
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { inviteAnswerKey, pairKey } from "#protocol/derive.ts";
import { errorShape, fromErrorShape, MeshError } from "#protocol/errors.ts";
import type { InviteAddress } from "#protocol/invite-link.ts";
import { joinAnswer, joinRequestInput, requestWords } from "#protocol/join-request.ts";
import { unwrapKey } from "#protocol/key-box.ts";
import type { Database } from "#protocol/ports.ts";
import { type Role, role as roleSchema } from "#protocol/schema.ts";
import { type Account, sealingPair } from "../account/account.ts";
import { createCondition } from "../condition.ts";
import type { PeerPorts } from "../ports.ts";
import { type InviteSecret, inviteFromBytes } from "./invite.ts";
import { lookUpInvite } from "./look-up.ts";

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;

export type Asked = { workspace: string; role: Role; words: string };

export type AskingToJoin = {
  /** Asks, or goes on where it was asked before. @throws MeshError invite_…, busy, offline */
  ask(address: InviteAddress): Promise<Asked>;
  /** The workspace once somebody let us in; null when nobody has after `waitMs`. @throws MeshError invite_…, not_found */
  answered(code: string, waitMs: number): Promise<string | null>;
  start(): void;
  stop(): void;
};

type Row = InviteAddress & { workspace: string; role: Role };

export function createAskingToJoin(
  ports: PeerPorts,
  account: Account,
  database: Database,
  /** Opens the workspace and joins it. */
  join: (workspace: string, broker: string, invite: InviteSecret) => Promise<unknown>,
): AskingToJoin {
  const { curves, timers, fetchJson } = ports;
  const changed = createCondition(timers);
  /** How those ended that this process has seen the end of. */
  const outcomes = new Map<string, string | MeshError>();
  const cancels = new Map<string, () => void>();
  let isRunning = false;

  const rows = (): Row[] =>
    database
      .sql("SELECT * FROM join_requests")
      .all()
      .map((row) => ({
        code: String(row.code),
        broker: String(row.broker),
        workspace: String(row.workspace),
        role: roleSchema.parse(row.role),
      }));

  const claimFor = async (workspace: string) => {
    const { key } = await sealingPair(ports, account, workspace);
    return { user: account.user, root: toBase64url(account.rootKey), sealing: toBase64url(key) };
  };

  const post = async ({ broker, code }: InviteAddress): Promise<Row> => {
    const workspace = await lookUpInvite(fetchJson, broker, code);
    const claim = await claimFor(workspace);
    const { secret, key, certificate } = account.device;
    const signature = await curves.sign(secret, joinRequestInput(workspace, code, claim));
    const { status, body } = await fetchJson(`${broker}/v1/invites/${code}/requests`, {
      ...claim,
      device: { key: toBase64url(key), certificate: toBase64url(certificate) },
      signature: toBase64url(signature),
    });
    if (status !== 201) throw errorIn(status, body);
    const role = roleSchema.parse(fieldOf(body, "role"));
    database
      .sql("INSERT OR REPLACE INTO join_requests (code, broker, workspace, role) VALUES (?, ?, ?, ?)")
      .run(code, broker, workspace, role);
    return { broker, code, workspace, role };
  };

  const finish = (code: string, outcome: string | MeshError) => {
    database.sql("DELETE FROM join_requests WHERE code = ?").run(code);
    cancels.delete(code);
    outcomes.set(code, outcome);
    if (outcome instanceof MeshError) ports.log.info({ code: outcome.code }, "a request to join has ended");
    changed.notify();
  };

  /** @throws MeshError bad_seal */
  const open = async ({ code, workspace }: Row, answer: unknown): Promise<InviteSecret> => {
    const parsed = joinAnswer.safeParse(answer);
    const { secret } = await sealingPair(ports, account, workspace);
    const pair = parsed.success && (await pairKey(curves, secret, fromBase64url(parsed.data.sealing)));
    const wrapping = pair && inviteAnswerKey(pair, workspace, code, account.user);
    const opened = wrapping && parsed.success && unwrapKey(wrapping, fromBase64url(parsed.data.box));
    if (opened) return { code, ...inviteFromBytes(opened) };
    throw new MeshError("bad_seal", "The answer to the request can't be opened.", "Ask to be invited again.");
  };

  /** True when it is over. */
  const look = async (row: Row): Promise<boolean> => {
    const { broker, code, workspace } = row;
    try {
      const { status, body } = await fetchJson(`${broker}/v1/invites/${code}/requests/${account.user}`);
      if (!isRunning) return true;
      if (status !== 200) throw errorIn(status, body);
      const answer = fieldOf(body, "answer");
      if (answer === null) return false;
      await join(workspace, broker, await open(row, answer));
      finish(code, workspace);
    } catch (error) {
      if (!isRunning) return true;
      const why = error instanceof MeshError ? error : fromErrorShape(errorShape(error));
      if (why.code === "offline" || why.code === "busy") return false;
      finish(code, why);
    }
    return true;
  };

  const follow = (row: Row, delayMs = FIRST_DELAY_MS) => {
    const cancel = timers.after(delayMs, async () => {
      if (await look(row)) return;
      if (isRunning) follow(row, Math.min(LONGEST_DELAY_MS, delayMs * 1.5));
    });
    cancels.set(row.code, cancel);
  };

  return {
    async ask(address) {
      const { code } = address;
      const known = rows().find((row) => row.code === code);
      outcomes.delete(code);
      const row = known ?? (await post(address));
      // Somebody waits for it now: it is looked at soon again, however long it has waited.
      cancels.get(code)?.();
      follow(row);
      const { workspace, role } = row;
      return { workspace, role, words: requestWords(workspace, code, await claimFor(workspace)) };
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
    start() {
      isRunning = true;
      for (const row of rows()) follow(row);
    },
    stop() {
      isRunning = false;
      for (const cancel of cancels.values()) cancel();
    },
  };
}

function fieldOf(body: unknown, name: string): unknown {
  return typeof body === "object" && body !== null ? (Reflect.get(body, name) ?? null) : null;
}

function errorIn(status: number, body: unknown): MeshError {
  const error = fieldOf(body, "error");
  const [code, message, hint] = ["code", "message", "hint"].map((name) => fieldOf(error, name));
  if (typeof code === "string" && typeof message === "string") {
    return fromErrorShape({ code, message, hint: typeof hint === "string" ? hint : "" });
  }
  return new MeshError("offline", `The broker answered with ${status}.`, "Try again later.");
}
