/** The daemon's socket, spoken to without a client's manners. */
import { once } from "node:events";
import { connect } from "node:net";

/** Writes those bytes and answers all that came back until the daemon ended the connection. */
export async function shout(path: string, bytes: string | Uint8Array): Promise<string> {
  const socket = connect(path);
  let heard = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    heard += text;
  });
  socket.on("error", () => {});
  socket.write(bytes);
  await once(socket, "close");
  return heard;
}
