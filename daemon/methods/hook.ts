/** session.hook, line: what a Claude client's hooks and status line ask for. */
import type { Handlers } from "#protocol/registry.ts";
import { unreadCount } from "#sdk/messages/inbox.ts";
import type { Caller, Peer } from "#sdk/peer.ts";
import { PERSONAL } from "#sdk/which-workspace.ts";
import type { Hook } from "../delivery/claude-session.ts";
import type { Delivery } from "../delivery/delivery.ts";
import type { Sessions } from "../sessions.ts";

export function hookHandlers(
  peer: Peer,
  sessions: Sessions,
  delivery: Delivery,
): Pick<Handlers<Caller>["session"], "hook" | "line"> {
  return {
    hook: ({ event, claude }, caller) =>
      new Promise((resolve) => {
        const hook: Hook = { waits: event === "wait", take: (text) => resolve({ text }) };
        caller.ended(() => delivery.withdraw(claude, hook));
        delivery.offer(claude, hook);
      }),
    line({ id, model, stats }) {
      const session = sessions.find(id);
      if (session)
        sessions.see(session, { ...(model ? { model } : {}), stats: { ...session.stats, ...stats } });
      const shared = peer.opened().filter(({ slug }) => slug !== PERSONAL);
      const shown = shared.find(({ used }) => used) ?? shared[0];
      const unread = peer.opened().reduce((sum, { workspace }) => sum + unreadCount(workspace), 0);
      if (!shown) return { workspace: null, online: 0, members: 0, unread };
      const { workspace, slug } = shown;
      const members = [...(workspace.chain()?.members.values() ?? [])].filter(({ active }) => active);
      const present = new Set(workspace.presence.present().map(({ member }) => member));
      const online = members.filter((one) => one.id === workspace.me || present.has(one.id)).length;
      return { workspace: slug, online, members: members.length, unread };
    },
  };
}
