/** A Messages API on loopback: it answers as the prompt tells it to, and remembers each request with its time. */
import { appendFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as after } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { eventually } from "#test/e2e/waiting.ts";
import { type Block, type Message, plan, requestBody } from "./script.ts";

export type ModelRequest = {
  /** By performance.now() of the test's process, when its last byte was there. */
  at: number;
  messages: readonly Message[];
  /** What all of its messages say, with line breaks as they are. */
  text: string;
};

export type Model = {
  url: string;
  /** Of conversations: what asks for a title or counts tokens has no tools, and isn't one. */
  requests(): readonly ModelRequest[];
  /** The first request that carries the words. @throws Error after so long */
  hears(words: string, limitMs?: number): Promise<ModelRequest>;
  /** How many requests have come, and whether the words are in any. */
  heard(words: string): boolean;
};

/** `log`: a file that gets every request as a line. */
export async function startModel(log: string): Promise<Model> {
  const requests: ModelRequest[] = [];
  const failures: Error[] = [];
  let answers = 0;

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const raw = await textOf(request);
    const at = performance.now();
    const path = (request.url ?? "").split("?")[0] ?? "";
    appendFileSync(
      log,
      `${JSON.stringify({ at: new Date().toISOString(), path, body: raw && JSON.parse(raw) })}\n`,
    );
    if (path.endsWith("/count_tokens")) return sendJson(response, 200, { input_tokens: 1000 });
    if (request.method !== "POST" || !path.endsWith("/v1/messages"))
      return sendJson(response, request.method === "HEAD" ? 200 : 404, {});
    const body = requestBody.parse(JSON.parse(raw));
    if (body.tools.length > 0) {
      const text = body.messages.map((message) => message.text).join("\n");
      requests.push({ at, messages: body.messages, text });
    }
    const { delayMs, block } = plan(body, ++answers);
    await after(delayMs);
    const base = { id: `msg_${answers}`, type: "message", role: "assistant", model: body.model };
    if (body.stream) return stream(response, base, block);
    sendJson(response, 200, { ...base, content: [block], stop_reason: stopOf(block), usage: USAGE });
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => {
      response.destroy();
      // A client that is ended in the middle of a request has gone, and that is all.
      if (!request.destroyed || request.complete) failures.push(error);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
    if (failures[0]) throw failures[0];
  });
  const { port } = server.address() as AddressInfo;
  const find = (words: string) => requests.find(({ text }) => text.includes(words));
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    hears: (words, limitMs = 15_000) =>
      eventually(async () => find(words) ?? null, `"${words}" at the model`, limitMs),
    heard: (words) => find(words) !== undefined,
  };
}

const USAGE = {
  input_tokens: 10,
  output_tokens: 5,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
};

const stopOf = (block: Block) => (block.type === "tool_use" ? "tool_use" : "end_turn");

/** One block as server-sent events. Source: the Messages API's streaming format. */
function stream(response: ServerResponse, base: object, block: Block): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const event = (type: string, data: object) =>
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  event("message_start", { message: { ...base, content: [], stop_reason: null, usage: USAGE } });
  if (block.type === "text") {
    event("content_block_start", { index: 0, content_block: { type: "text", text: "" } });
    event("content_block_delta", { index: 0, delta: { type: "text_delta", text: block.text } });
  } else {
    event("content_block_start", { index: 0, content_block: { ...block, input: {} } });
    const delta = { type: "input_json_delta", partial_json: JSON.stringify(block.input) };
    event("content_block_delta", { index: 0, delta });
  }
  event("content_block_stop", { index: 0 });
  event("message_delta", { delta: { stop_reason: stopOf(block) }, usage: { output_tokens: 5 } });
  event("message_stop", {});
  response.end();
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
