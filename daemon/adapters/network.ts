/** The outside world for links: WebSockets by ws, small JSON documents by fetch. */
import WebSocket from "ws";
import { socketOf } from "#adapters/websocket.ts";
import { MeshError } from "#protocol/errors.ts";
import { LIMITS } from "#protocol/limits.ts";
import type { Dial, FetchJson } from "#protocol/ports.ts";

const HANDSHAKE_LIMIT_MS = 10_000;
/** An answer that comes later, or is longer, is none: the largest is a list of a thousand devices. */
const FETCH_LIMITS = { ms: 10_000, bytes: 4 * 1024 * 1024 };
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

export const fetchJson = fetchJsonWithin(FETCH_LIMITS);

export function fetchJsonWithin({ ms, bytes }: typeof FETCH_LIMITS): FetchJson {
  return async (url, post) => {
    const signal = AbortSignal.timeout(ms + (post?.waitMs ?? 0));
    const limits = { signal, redirect: "error" } as const;
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
      const body = parsed(await textOf(response, bytes));
      return { status: response.status, body, ...(Number.isNaN(date) ? {} : { date }) };
    } catch (error) {
      if (error instanceof MeshError) throw error;
      if (signal.aborted)
        throw new MeshError("timeout", `${new URL(url).origin} took too long to answer.`, NEXT_STEP);
      const cause =
        error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
      throw new MeshError("offline", `The broker can't be reached: ${cause}.`, NEXT_STEP);
    }
  };
}

/** Counts what comes, whatever the head says of it. @throws MeshError too_large */
async function textOf({ body, url }: Response, most: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > most)
      throw new MeshError(
        "too_large",
        `${new URL(url).origin} answers with more than any broker has to say.`,
        "Is that the address of a claudemesh broker?",
      );
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** Null for what isn't JSON: whoever asked says what was expected. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
