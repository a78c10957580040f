/** What a session tells the poster of a message that didn't go straight to the model: a line to the poster's own socket. */
import { connect } from "node:net";
import { dirname } from "node:path";
import type { Verdict } from "./inbox.ts";

/** The first message that is dropped is told at once, those that follow within this time in one line after it. */
const GATHER_MS = 5000;

export type Receipts = { tell(verdict: Verdict): void; end(): void };

/** `own`: the session's socket; only to sockets beside it anything is told. */
export function createReceipts(own: string, speedUp: number): Receipts {
  let gathering: NodeJS.Timeout | null = null;
  let gathered: string[] = [];

  const send = (from: string, status: object) => {
    const path = from.replace(/^uds:/, "");
    if (path === from || path === own || dirname(path) !== dirname(own)) return;
    const line = { type: "control", action: "peer_message_status", ...status, from: `uds:${own}`, msgV: 1 };
    const socket = connect(path, () => socket.end(`${JSON.stringify(line)}\n`));
    // Nobody listens any more.
    socket.on("error", () => {});
  };

  return {
    tell(verdict) {
      if (verdict.state === "ignored" || verdict.state === "queued") return;
      const { from, id } = verdict.posted;
      if (from === null) return;
      const about = id === null ? {} : { orig_msg_id: id };
      if (verdict.state !== "dropped") {
        const refused = { status: "expired", status_detail: "refused" };
        return send(from, { ...(verdict.state === "refused" ? refused : { status: "held" }), ...about });
      }
      const dropped = { status: "dropped", drop_reason: verdict.reason, ...about };
      if (gathering) {
        if (id !== null) gathered.push(id);
        return;
      }
      send(from, { ...dropped, dropped_msg_ids: [] });
      gathering = setTimeout(() => {
        if (gathered.length > 0)
          send(from, { ...dropped, orig_msg_id: gathered.at(-1), dropped_msg_ids: gathered });
        gathering = null;
        gathered = [];
      }, GATHER_MS / speedUp);
    },
    end() {
      if (gathering) clearTimeout(gathering);
    },
  };
}
