/** Notices: an index of what entries of the membership chain mean for me. */
import { fromBase64url } from "#protocol/bytes.ts";
import { type ChainEntry, decodeEntry } from "#protocol/chain/entries.ts";
import { activeMember, type Invite } from "#protocol/chain/state.ts";
import { idOf } from "#protocol/derive.ts";
import type { Notice, NoticeKind } from "#protocol/features/notice.ts";
import { recordIdTime, shortId } from "#protocol/ids.ts";
import type { SqlRow } from "#protocol/ports.ts";
import type { Happening } from "../context.ts";
import type { ChainStep, Feature } from "../feature.ts";
import type { Asking } from "../membership/approvals.ts";
import { markRead } from "../messages/marks.ts";
import { memberNames } from "../messages/names.ts";
import type { Opened } from "../peer.ts";
import { PERSONAL } from "../which-workspace.ts";

type Entry<T extends ChainEntry["type"]> = Extract<ChainEntry, { type: T }>;

/** `say`: {member}, {by} and the details stand for their values. `isMine`: told of what was done in my own name, too. */
type Meaning = {
  kind: NoticeKind;
  member: string;
  by?: string | null;
  detail?: Record<string, string>;
  say: string;
  isMine?: true;
};

/** What each kind of entry means, a line each; `from` is who signed it. Those that aren't here mean nothing to people. */
const MEANINGS: { [T in ChainEntry["type"]]?: (entry: Entry<T>, from: string, step: ChainStep) => Meaning } =
  {
    join: ({ code }, from, { before }) => ({
      kind: "joined",
      member: from,
      by: before.invites.get(code)?.by ?? null,
      detail: { how: wayOf(before.invites.get(code)), code },
      say: "{member} joined, invited by {by} ({how})",
    }),
    leave: (_, from) => ({ kind: "left", member: from, say: "{member} left" }),
    remove: ({ member }, by) => ({ kind: "removed", member, by, say: "{by} removed {member}" }),
    role: ({ member, role: to }, by, { before }) => ({
      kind: "role changed",
      member,
      by,
      detail: { from: before.members.get(member)?.role ?? "", to },
      say: "{by} made {member} {to} instead of {from}",
    }),
    accept: (_, from, { before }) => ({
      kind: "role changed",
      member: from,
      by: before.owner,
      detail: { from: before.members.get(from)?.role ?? "", to: "owner" },
      say: "{by} handed the workspace over to {member}",
    }),
    device: (_, from, { record }) => ({
      kind: "device added",
      member: from,
      detail: { device: record.header.dev },
      say: "{member} added a device",
      isMine: true,
    }),
    "device-revoke": ({ devices }, from) => ({
      kind: "device revoked",
      member: from,
      detail: { devices: devices.join(" ") },
      say: "{member} shut a device out for good",
      isMine: true,
    }),
    seed: (_, from) => ({ kind: "keys renewed", member: from, say: "{member} has new keys" }),
    migrate: ({ root }, from) => ({
      kind: "identity changed",
      member: idOf(fromBase64url(root)),
      detail: { from },
      say: "{member} is another identity now, as the one before has signed",
    }),
  };

function wayOf(invite: Invite | undefined): string {
  if (invite?.wrapped) return "unattended";
  return invite?.mail ? "e-mail" : "link";
}

export const notice: Feature = {
  name: "notice",
  tables: `
    CREATE TABLE notices (
      height INTEGER PRIMARY KEY, id TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, member TEXT NOT NULL,
      by TEXT, detail TEXT NOT NULL, say TEXT NOT NULL
    ) STRICT;
  `,
  apply: {},
  entered({ db, me }, step) {
    // Who comes in isn't told of what was before, nor anybody of what they did themselves.
    if (!activeMember(step.before, me)) return;
    const { id, from } = step.record.header;
    const meaning = meaningOf(decodeEntry(step.record.body), from, step);
    if (!meaning || (from === me && !meaning.isMine)) return;
    const { kind, member, by = null, detail = {}, say } = meaning;
    db.sql(
      `INSERT INTO notices (height, id, at, kind, member, by, detail, say) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
    ).run(step.after.head.height, id, recordIdTime(id), kind, member, by, JSON.stringify(detail), say);
  },
};

function meaningOf(entry: ChainEntry, from: string, step: ChainStep): Meaning | undefined {
  // The entry's type picks the line that takes exactly such an entry; the table's type can't say so.
  const mean = MEANINGS[entry.type] as
    | ((entry: ChainEntry, from: string, step: ChainStep) => Meaning)
    | undefined;
  return mean?.(entry, from, step);
}

/** The newest of several workspaces, oldest first. */
export function newestNotices(
  among: readonly Opened[],
  { unread, limit }: { unread: boolean; limit: number },
): Notice[] {
  const which = "(?1 = 0 OR r.id IS NULL) ORDER BY n.height DESC LIMIT ?2";
  const asking = among.flatMap((opened) => asked(opened, opened.workspace.approvals.waiting()));
  return among
    .flatMap((opened) => select(opened, which, unread ? 1 : 0, limit))
    .concat(unread ? asking.filter(({ read }) => !read) : asking)
    .sort((a, b) => (a.at < b.at ? -1 : 1))
    .slice(-limit);
}

/** Those that came with what has just happened. */
export function freshNotices(opened: Opened, happening: Happening): Notice[] {
  if (happening.type === "asked") return asked(opened, happening.fresh);
  if (happening.type !== "chain" || !happening.before) return [];
  const { before, state } = happening;
  return select(
    opened,
    "n.height > ?1 AND n.height <= ?2 ORDER BY n.height",
    before.head.height,
    state.head.height,
  );
}

/** Of no entry of the chain: who asks is nobody there yet. */
function asked({ slug, workspace }: Opened, waiting: readonly Asking[]): Notice[] {
  return waiting.map(({ code, user, at, words }) => {
    const email = workspace.approvals.emailOf(code);
    const inviter = workspace.names().get(workspace.chain()?.invites.get(code)?.by ?? "") ?? "";
    const id = `${code}-${user}`;
    return {
      id,
      workspace: slug,
      at: new Date(at).toISOString(),
      kind: "asks to join",
      member: { id: user, name: shortId(user).toLowerCase() },
      by: null,
      detail: { words, code, ...(email === null ? {} : { email }) },
      text:
        email === null
          ? `somebody asks to join by ${inviter}'s invite ${code}, and ${inviter} lets them in`
          : `somebody asks to join by the invite for ${email}: claudemesh invite approve ${code}`,
      read: workspace.replica.db.sql("SELECT 1 FROM reads WHERE id = ?").get(id) !== undefined,
    };
  });
}

export function markNoticesAsRead(among: readonly Opened[], notices: readonly Notice[]): void {
  for (const { slug, workspace } of among) {
    const mine = notices.filter((one) => one.workspace === slug && !one.read);
    markRead(
      workspace,
      mine.map(({ id }) => id),
    );
  }
}

function select(opened: Opened, where: string, ...values: readonly number[]): Notice[] {
  if (opened.slug === PERSONAL) return [];
  return opened.workspace.replica.db
    .sql(
      `SELECT n.*, r.id IS NOT NULL AS read FROM notices n LEFT JOIN reads r ON r.id = n.id WHERE ${where}`,
    )
    .all(...values)
    .map((row) => toNotice(opened, row));
}

function toNotice({ slug, workspace }: Opened, row: SqlRow): Notice {
  const names = memberNames(workspace);
  const personOf = (id: string) => ({ id, name: names.get(id) ?? id });
  const member = personOf(String(row.member));
  const by = row.by === null ? null : personOf(String(row.by));
  // Written by `entered` from typed values.
  const detail = JSON.parse(String(row.detail)) as Record<string, string>;
  const values: Record<string, string> = { ...detail, member: member.name, by: by?.name ?? "" };
  return {
    id: String(row.id),
    workspace: slug,
    at: new Date(Number(row.at)).toISOString(),
    // Written by `entered`, and made anew whenever the kinds change.
    kind: String(row.kind) as NoticeKind,
    member,
    by,
    detail,
    text: String(row.say).replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? ""),
    read: row.read === 1,
  };
}
