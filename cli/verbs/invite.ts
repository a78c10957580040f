/** invite create, list, revoke, approve; join */
import { MeshError } from "#protocol/errors.ts";
import type { Client } from "#protocol/registry.ts";
import { askLine, canAsk } from "../ask.ts";
import { duration, oneOf, string, whole } from "../input.ts";
import { paint, safe, table } from "../print.ts";
import type { Verb } from "../verb.ts";

/** Of the time that join has, for the request itself. */
const FIRST_LOOK_MS = 300;

const ROLES = ["member", "admin", "guest"] as const;

const create: Verb = {
  name: "invite create",
  aliases: ["share"],
  options: {
    role: { type: "string", value: "R", values: ROLES, about: "what whoever joins by it becomes" },
    uses: { type: "string", value: "N", about: "how many may join by it; 1 without it" },
    unattended: {
      type: "boolean",
      about: "the link carries the workspace's key: nobody need be online when it is used",
    },
    email: {
      type: "string",
      value: "ADDRESS",
      about: "the broker sends it there; you let in whoever tells you six words",
    },
    qr: { type: "boolean", about: "show the link as a QR code as well" },
    expires: { type: "string", value: "T", about: "how long it is good, such as 24h; 7d without it" },
  },
  summary: "a link that lets somebody in (once, for 7 days)",
  examples: ["claudemesh invite create", "claudemesh invite create --uses 5 --expires 24h --role guest"],
  async run({ options, json, workspace, daemon, print, note }) {
    const expires = string(options.expires);
    const client = await daemon();
    const made = await client.invite.create({
      workspace,
      role: oneOf(options.role, "--role", ROLES),
      uses: whole(options.uses, "--uses"),
      expiresInMs: expires === undefined ? undefined : duration(expires, "--expires"),
      unattended: options.unattended === true ? true : undefined,
      email: string(options.email),
    });
    if (made.email !== undefined) return print(made, sentTo(made.email, made.code));
    if (made.unattended)
      note(
        "warning: this link carries the workspace's key. Whoever has it, even after it was used, and gets at the broker's log\nreads everything that was said up to now. Send it over a channel that you trust, and that forgets it.",
      );
    const qr =
      options.qr === true && !json ? `${(await import("uqr")).renderUnicodeCompact(made.url)}\n\n` : "";
    const times = made.uses === 1 ? "once" : `${made.uses} times`;
    print(
      made,
      `${qr}${made.url}\n\nGood for ${made.role}, ${times}, until ${made.expiresAt}. The part behind # is the secret:\nsend the link over a channel that you trust. Your colleague runs: claudemesh join LINK`,
    );
  },
};

function sentTo(email: string, code: string): string {
  return `sent to ${safe(email)}. Whoever joins by it is shown six words and tells them to you, by another way than e-mail:\nlet them in by claudemesh invite approve ${code}`;
}

const list: Verb = {
  name: "invite list",
  aliases: ["invites"],
  summary: "the invites that were made, and how often they were used",
  examples: ["claudemesh invite list --workspace acme"],
  async run({ workspace, daemon, print }) {
    const client = await daemon();
    const { invites } = await client.invite.list({ workspace });
    const rows = invites.map((invite) => [
      invite.code,
      invite.state,
      invite.role,
      `${invite.used} of ${invite.uses} used${namesOf(invite.usedBy)}`,
      `until ${invite.expiresAt}`,
      `by ${safe(invite.by)}`,
      invite.workspace,
      [invite.unattended ? "unattended" : "", invite.email ? `to ${safe(invite.email)}` : ""].join(""),
      ...invite.requests.map(({ words }) => `asked: ${words}`),
    ]);
    print({ invites }, rows.length > 0 ? table(rows) : "No invites yet. Make one: claudemesh invite create");
  },
};

function namesOf(users: readonly { name: string }[]): string {
  return users.length > 0 ? ` (${users.map(({ name }) => safe(name)).join(", ")})` : "";
}

const revoke: Verb = {
  name: "invite revoke",
  args: ["CODE"],
  summary: "let nobody in by an invite any more",
  examples: ["claudemesh invite revoke Ab3dE6gh"],
  async run({ args, workspace, daemon, print }) {
    const client = await daemon();
    const revoked = await client.invite.revoke({ workspace, code: args[0] ?? "" });
    print(revoked, `${revoked.code} lets nobody into ${revoked.workspace} any more`);
  },
};

const approve: Verb = {
  name: "invite approve",
  args: ["CODE"],
  options: {
    words: { type: "string", value: '"SIX WORDS"', about: "let in whoever has these, without asking" },
  },
  summary: "let in who asks by an invite that went by e-mail",
  examples: [
    "claudemesh invite approve Ab3dE6gh",
    'claudemesh invite approve Ab3dE6gh --words "abandon ability able about above absent"',
  ],
  async run({ args, options, json, workspace, daemon, print, endless, limited }) {
    const [code = ""] = args;
    const client = await daemon();
    const said = string(options.words);
    if (said === undefined) endless();
    const words = said ?? (await comparedWords(client, { workspace, code, json }));
    limited();
    const approved = await client.invite.approve({ workspace, code, words });
    print(approved, `whoever said these words is let into ${approved.workspace} now`);
  },
};

/** Nobody but a person can compare: without a terminal the words have to be given. @throws MeshError usage, not_found, refused */
async function comparedWords(
  client: Client,
  { workspace, code, json }: { workspace: string | undefined; code: string; json: boolean },
): Promise<string> {
  const { invites } = await client.invite.list({ workspace });
  const requests = invites.find((invite) => invite.code === code)?.requests ?? [];
  if (requests.length === 0)
    throw new MeshError(
      "not_found",
      `Nobody asks to join by ${code} at the moment.`,
      "See `claudemesh invite list`.",
    );
  if (!canAsk({ json }))
    throw new MeshError(
      "usage",
      "The words have to be compared with those that the newcomer was shown.",
      'Give what you were told: --words "…"',
    );
  for (const { words } of requests) {
    const question = `Were you told exactly these words, by another way than e-mail?\n\n    ${words}\n\n[y/N] `;
    if (/^y(es)?$/i.test((await askLine(question)).trim())) return words;
  }
  throw new MeshError("refused", "Nobody was let in.", "");
}

const join: Verb = {
  name: "join",
  group: "invite",
  args: ["LINK"],
  summary: "join a workspace by its invite link (claudemesh LINK does too)",
  examples: ['claudemesh join "https://broker.example/i/Ab3dE6gh#…"'],
  async run({ args, timeoutMs, daemon, waiting, note, print }) {
    const client = await daemon();
    const [url = ""] = args;
    // From an e-mail: the words are there at once, and the inviter may take long.
    const isMailed = !url.includes("#");
    const first = isMailed ? await client.invite.accept({ url, waitMs: FIRST_LOOK_MS }) : null;
    if (first?.words)
      note(`Tell whoever invited you these words, by another way than e-mail:\n\n    ${first.words}\n`);
    const left = Math.max(1, timeoutMs - (isMailed ? FIRST_LOOK_MS : 0));
    const joining = first && !first.state ? first : client.invite.accept({ url, waitMs: left });
    const joined = await waiting(isMailed ? "waiting to be let in" : "joining", Promise.resolve(joining));
    if (joined.state)
      return print(
        joined,
        `Nobody has let you in yet. It goes on by itself; to see how it stands, run the same again.\nThe words for whoever invited you: ${joined.words}`,
      );
    const next = joined.waiting
      ? "\nNobody who could hand over the workspace's key is online; it comes by itself as soon as somebody is."
      : `\nSee who is there: ${paint("bold", "claudemesh peers")}`;
    print(joined, `joined ${joined.slug} as ${joined.member.name} (${joined.member.role})${next}`);
  },
};

export const inviteVerbs = [create, list, revoke, approve, join];
