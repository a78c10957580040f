/** The outside world for links: WebSockets by ws, small JSON documents by fetch. */
import WebSocket from "ws";
import { socketOf } from "#adapters/websocket.ts";
import { MeshError } from "#protocol/errors.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Dial, FetchJson } from "#protocol/ports.ts";

const HANDSHAKE_LIMIT_MS = 10_000;
const FETCH_LIMIT_MS = 10_000;
const NEXT_STEP = "Is the broker running, and is its address right? It is tried again.";

export const dial: Dial = (url) =>
  new Promise((resolve, reject) => {
    const ws = new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: LIMITS.frame,
      handshakeTimeout: HANDSHAKE_LIMIT_MS,
    });
    ws.once("upgrade", ({ socket }) => {
      ws.once("open", () => {
        // The broker speaks first, maybe already: ws waits until somebody listens.
        ws.pause();
        const port = socketOf(ws, socket);
        resolve({
          ...port,
          listen(handlers) {
            port.listen(handlers);
            ws.resume();
          },
        });
      });
    });
    ws.once("error", (error) =>
      reject(new MeshError("offline", `The broker can't be reached: ${error.message}.`, NEXT_STEP)),
    );
  });

export const fetchJson: FetchJson = async (url, post) => {
  const limits = {
    signal: AbortSignal.timeout(FETCH_LIMIT_MS + (post?.waitMs ?? 0)),
    redirect: "error",
  } as const;
  try {
    const response = await (post
      ? fetch(url, {
          ...limits,
          method: "POST",
          headers: { ...post.headers, "content-type": "application/json" },
          body: JSON.stringify(post.body),
        })
      : fetch(url, limits));
    const date = Date.parse(response.headers.get("date") ?? "");
    const body = await response.json().catch(() => null);
    return { status: response.status, body, ...(Number.isNaN(date) ? {} : { date }) };
  } catch (error) {
    const cause =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new MeshError("offline", `The broker can't be reached: ${cause}.`, NEXT_STEP);
  }
};
