/** What a person follows, each of their devices follows. */
import type { Happening } from "../context.ts";
import type { Opened, Peer } from "../peer.ts";

/** The values that say so are the member's own, whichever device put them. */
export function followAlike({ ports }: Peer) {
  return ({ workspace }: Opened, happening: Happening): void => {
    if (happening.type !== "applied" || happening.record.from !== workspace.me) return;
    const { event, record } = happening;
    if (event.kind !== "topic.membership" && event.kind !== "group.membership") return;
    const [kind, name] =
      event.kind === "topic.membership"
        ? (["topic", event.name] as const)
        : (["group", `@${event.name}`] as const);
    const label = workspace.keyring.labelId(kind, event.name);
    const isFollowed = record.put?.tombstone !== true;
    if (!label || workspace.follows(label) === isFollowed) return;
    if (!isFollowed) workspace.unfollow(label);
    else
      workspace.follow(label, name).catch((error) => {
        ports.log.warn({ workspace: workspace.id, error: String(error) }, "a label can't be followed");
      });
  };
}
