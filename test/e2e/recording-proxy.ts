/** Stands between daemons and a broker and keeps what passes, WebSocket masks taken off. */
import { type AddressInfo, connect, createServer } from "node:net";
import { onTestFinished } from "vitest";

export type RecordingProxy = { url: string; forwardTo(port: number): void; bytes(): Buffer };

export async function recordingProxy(): Promise<RecordingProxy> {
  const streams: Buffer[][] = [];
  let target = 0;
  const server = createServer((near) => {
    const far = connect(target, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      const stream: Buffer[] = [];
      streams.push(stream);
      from.on("data", (chunk: Buffer) => {
        stream.push(chunk);
        to.write(chunk);
      });
      from.on("close", () => to.destroy());
      from.on("error", () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    forwardTo(port) {
      target = port;
    },
    bytes: () => Buffer.concat(streams.map((stream) => withoutMasks(Buffer.concat(stream)))),
  };
}

/** HTTP as it is; behind an upgrade the payload of each frame (RFC 6455 §5.2), unmasked where a client masked it. */
function withoutMasks(stream: Buffer): Buffer {
  const headEnd = stream.indexOf("\r\n\r\n") + 4;
  if (!/upgrade: websocket/i.test(stream.subarray(0, headEnd).toString("latin1"))) return stream;
  const parts = [stream.subarray(0, headEnd)];
  for (let at = headEnd; at + 2 <= stream.length; ) {
    const isMasked = ((stream[at + 1] ?? 0) & 0x80) !== 0;
    const short = (stream[at + 1] ?? 0) & 0x7f;
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    const length =
      lengthBytes === 8
        ? Number(stream.readBigUInt64BE(at + 2))
        : lengthBytes === 2
          ? stream.readUInt16BE(at + 2)
          : short;
    const maskAt = at + 2 + lengthBytes;
    const start = maskAt + (isMasked ? 4 : 0);
    const payload = Buffer.from(stream.subarray(start, start + length));
    if (isMasked)
      for (let i = 0; i < payload.length; i++)
        payload[i] = (payload[i] ?? 0) ^ (stream[maskAt + (i % 4)] ?? 0);
    parts.push(payload);
    at = start + length;
  }
  return Buffer.concat(parts);
}
