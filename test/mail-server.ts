/** A real SMTP server that keeps what it is sent. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";
import { onTestFinished } from "vitest";

export type Mail = { to: string; text: string };

/** Takes what it is sent; refuses addresses that begin with "nobody". `tls`: offers it, by a certificate of its own. */
export async function mailServer({ tls = false } = {}) {
  const mails: Mail[] = [];
  const logins: string[] = [];
  const server = new SMTPServer({
    disabledCommands: tls ? [] : ["STARTTLS"],
    onAuth({ username = "", password }, _, done) {
      logins.push(username);
      if (username === "user" && password === "secret") done(null, { user: username });
      else done(new Error("who is this?"));
    },
    onRcptTo({ address }, _, done) {
      if (!address.startsWith("nobody")) return done();
      done(Object.assign(new Error(`no such user ${address}`), { responseCode: 550 }));
    },
    onData(stream, { envelope }, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const to = envelope.rcptTo.map(({ address }) => address).join();
        mails.push({ to, text: Buffer.concat(chunks).toString() });
        done();
      });
    },
  });
  server.on("error", () => {});
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const { port } = server.server.address() as AddressInfo;
  return { mails, logins, port, url: `smtp://user:secret@127.0.0.1:${port}` };
}
