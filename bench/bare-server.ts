/** A WebSocket server of a few lines in a process of its own: what a broker's connections would cost if it did nothing. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Greets whom it takes in; whatever somebody says, it sends one prebuilt frame of so many bytes to all. */
const SOURCE = `
  import { createServer } from "node:http";
  import { WebSocketServer } from "ws";
  const frame = Buffer.alloc(Number(process.argv[1]), 1);
  const server = createServer().listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => console.log(server.address().port));
  const wss = new WebSocketServer({ server, perMessageDeflate: false });
  wss.on("connection", (ws) => {
    ws.on("message", () => { for (const one of wss.clients) one.send(frame); });
    ws.send('{"type":"hello"}');
  });
`;

export async function withBareServer<T>(
  frameBytes: number,
  work: (server: { url: string; pid: number }) => Promise<T>,
): Promise<T> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", SOURCE, String(frameBytes)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [port] = await once(createInterface({ input: child.stdout }), "line");
    return await work({ url: `http://127.0.0.1:${port}`, pid: child.pid ?? 0 });
  } finally {
    child.kill("SIGKILL");
  }
}
