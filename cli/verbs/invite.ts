/** invite create, list, revoke; join */
import { duration, oneOf, string, whole } from "../input.ts";
import { paint, safe, table } from "../print.ts";
import type { Verb } from "../verb.ts";

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
    });
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
      invite.unattended ? "unattended" : "",
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

const join: Verb = {
  name: "join",
  group: "invite",
  args: ["LINK"],
  summary: "join a workspace by its invite link (claudemesh LINK does too)",
  examples: ['claudemesh join "https://broker.example/i/Ab3dE6gh#…"'],
  async run({ args, timeoutMs, daemon, waiting, print }) {
    const client = await daemon();
    const joining = client.invite.accept({ url: args[0] ?? "", waitMs: timeoutMs });
    const joined = await waiting("joining", joining);
    const note = joined.waiting
      ? "\nNobody who could hand over the workspace's key is online; it comes by itself as soon as somebody is."
      : `\nSee who is there: ${paint("bold", "claudemesh peers")}`;
    print(joined, `joined ${joined.slug} as ${joined.member.name} (${joined.member.role})${note}`);
  },
};

export const inviteVerbs = [create, list, revoke, join];
