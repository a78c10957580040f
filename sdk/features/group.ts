/** Groups: their members, each by a value of the member's own, and the label that carries what is said to them. */
import { activeMember } from "#protocol/chain/state.ts";
import { legalName } from "#protocol/derive.ts";
import { MeshError } from "#protocol/errors.ts";
import type { Group } from "#protocol/features/group.ts";
import { EVERYONE } from "#protocol/ids.ts";
import type { Handlers } from "#protocol/registry.ts";
import type { Feature } from "../feature.ts";
import { memberNames, requireFullMember, waitingForKey } from "../messages/names.ts";
import type { Caller, Opened, Peer } from "../peer.ts";
import type { Workspace } from "../workspace.ts";

export const group: Feature = {
  name: "group",
  tables: `
    CREATE TABLE group_members (
      name TEXT NOT NULL, member TEXT NOT NULL, version INTEGER NOT NULL, part TEXT, gone INTEGER NOT NULL,
      PRIMARY KEY (name, member)
    ) STRICT;
  `,
  apply: {
    "group.membership"({ db }, { name, part }, { from, put }) {
      if (!put?.own) return;
      db.sql(
        `INSERT INTO group_members (name, member, version, part, gone) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET version = excluded.version, part = excluded.part, gone = excluded.gone
         WHERE excluded.version >= version`,
      ).run(name, from, put.version, part, Number(put.tombstone));
    },
  },
};

export function groupHandlers(peer: Peer): Handlers<Caller>["group"] {
  const find = (selector: string | undefined, text: string) => {
    const name = bareName(text);
    const opened = peer.writable(selector);
    requireFullMember(opened.workspace);
    const label = opened.workspace.keyring.labelId("group", name);
    if (!label) throw waitingForKey();
    return { opened, workspace: opened.workspace, name, label };
  };

  return {
    async join({ workspace: selector, group: text, role = null }) {
      const { opened, workspace, name, label } = find(selector, text);
      await workspace.follow(label, `@${name}`);
      workspace.putOwn(EVERYONE, `group:${name}`, { kind: "group.membership", name, part: role });
      return describe(opened, name);
    },
    leave({ workspace: selector, group: text }) {
      const { opened, workspace, name, label } = find(selector, text);
      workspace.unfollow(label);
      workspace.putOwn(EVERYONE, `group:${name}`, { kind: "group.membership", name, part: null }, true);
      return describe(opened, name);
    },
    list: ({ workspace: selector }) => ({
      groups: peer
        .readable(selector)
        .flatMap((opened) => groupNames(opened.workspace).map((name) => describe(opened, name))),
    }),
  };
}

/** Of those that somebody is in. */
export function groupNames(workspace: Workspace): string[] {
  return workspace.replica.db
    .sql("SELECT DISTINCT name FROM group_members WHERE gone = 0 ORDER BY name")
    .all()
    .map((row) => String(row.name));
}

/** @throws MeshError bad_data */
function bareName(text: string): string {
  const name = text.replace(/^@/, "");
  if (legalName(name) === name) return name;
  throw new MeshError(
    "bad_data",
    `"${name}" is not a group's name.`,
    `Use a-z, 0-9, dot, dash: ${legalName(name) || "backend"}.`,
  );
}

function describe({ slug, workspace }: Opened, name: string): Group {
  const names = memberNames(workspace);
  const chain = workspace.chain();
  const rows = workspace.replica.db
    .sql("SELECT member, part FROM group_members WHERE name = ? AND gone = 0 ORDER BY member")
    .all(name);
  const members = rows
    .map((row) => ({ member: String(row.member), role: row.part === null ? null : String(row.part) }))
    .filter(({ member }) => chain && activeMember(chain, member))
    .map((one) => ({ ...one, name: names.get(one.member) ?? one.member }));
  return { name, workspace: slug, joined: members.some(({ member }) => member === workspace.me), members };
}
