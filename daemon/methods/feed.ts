/** feed.open: what happens, as it happens. */
import type { FeedEvent } from "#protocol/features/daemon.ts";
import type { Handlers } from "#protocol/registry.ts";
import type { Happening } from "#sdk/context.ts";
import { freshNotices } from "#sdk/features/notice.ts";
import { messageById } from "#sdk/messages/inbox.ts";
import { memberNames } from "#sdk/messages/names.ts";
import type { Caller, Opened, Peer } from "#sdk/peer.ts";

export function feedHandlers(peer: Peer): Handlers<Caller>["feed"] {
  return {
    open(_, caller, emit) {
      const stop = peer.listen((where, happening) => {
        for (const event of feedEvents(where, happening, new Date(peer.now()).toISOString())) emit(event);
      });
      caller.ended(stop);
      return {};
    },
  };
}

function feedEvents(where: Opened, happening: Happening, at: string): FeedEvent[] {
  const { slug, workspace } = where;
  const names = () => memberNames(workspace);
  switch (happening.type) {
    case "applied": {
      if (!happening.isNew || happening.event.kind !== "message") return [];
      const message = messageById(where, happening.record.from, happening.record.id);
      return message ? [{ type: "message", at, message }] : [];
    }
    case "link":
      return [{ type: "link", at, workspace: slug, state: happening.state }];
    case "peer":
      if (!happening.changed) return [];
      return [
        {
          type: "peer",
          at,
          workspace: slug,
          name: names().get(happening.member) ?? "",
          verified: workspace.trust.of(happening.member).verified,
          online: happening.online,
        },
      ];
    case "told": {
      const { told, from } = happening;
      return [{ type: "typing", at, workspace: slug, name: names().get(from.member) ?? "", to: told.to }];
    }
    case "asked":
    case "chain":
      return freshNotices(where, happening).map((notice) => ({ type: "notice", at, notice }));
    default:
      return [];
  }
}
