/** The daemon's socket, spoken to without a client's manners. */
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { VERSION } from "#adapters/version.ts";
import { encodeSocketFrame } from "#protocol/socket.ts";

export const HELLO = encodeSocketFrame({ type: "hello", data: { client: "other", version: VERSION } });

export type Raw = {
  socket: Socket;
  /** All that came back so far. */
  heard(): string;
  isOpen(): boolean;
  closed: Promise<void>;
  /** Resolves when the kernel has taken it: true; or false once the connection has ended. */
  write(bytes: string | Uint8Array): Promise<boolean>;
};

/** With `reads` false nothing that comes back is ever taken. */
export function rawConnection(path: string, { reads = true } = {}): Raw {
  const socket = connect(path);
  onTestFinished(() => {
    socket.destroy();
  });
  const heard: Buffer[] = [];
  let open = true;
  if (reads) socket.on("data", (chunk) => heard.push(chunk));
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => {
      open = false;
      resolve();
    });
  });
  return {
    socket,
    heard: () => Buffer.concat(heard).toString("utf8"),
    isOpen: () => open,
    closed,
    write: (bytes) =>
      Promise.race([
        closed.then(() => false),
        new Promise<boolean>((resolve) => socket.write(bytes, (error) => resolve(!error))),
      ]),
  };
}

/** Writes those bytes and answers all that came back until the daemon ended the connection. */
export async function shout(path: string, bytes: string | Uint8Array): Promise<string> {
  const connection = rawConnection(path);
  connection.write(bytes);
  await connection.closed;
  return connection.heard();
}
