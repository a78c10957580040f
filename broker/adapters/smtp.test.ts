import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { codeOf, codeOfAsync } from "#test/code-of.ts";
import { mailServer } from "#test/mail-server.ts";
import { smtpMail } from "./smtp.ts";

const FROM = "claudemesh <mesh@example.org>";
const MAIL = { to: "bob@example.org", subject: "You are invited", text: "Come in:\n\n    a line\n" };

function fileWith(content: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), "smtp-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "smtp.json");
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

test("a mail arrives as it was written, from whom the file says", async () => {
  const { url, mails } = await mailServer();
  await smtpMail(fileWith({ url, from: FROM })).send(MAIL);
  expect(mails.map(({ to }) => to)).toEqual(["bob@example.org"]);
  const [head = "", ...body] = (mails[0]?.text ?? "").split("\r\n\r\n");
  expect(head).toContain(`From: ${FROM}`);
  expect(head).toContain("Subject: You are invited");
  expect(head).toMatch(/Content-Type: text\/plain/);
  expect(body).toEqual(["Come in:", "    a line\r\n"]);
});

test("an address that the server refuses is the sender's to mend, and isn't repeated", async () => {
  const { url, mails } = await mailServer();
  const sent = smtpMail(fileWith({ url, from: FROM })).send({ ...MAIL, to: "nobody@example.org" });
  const error = await sent.then(String, (refused) => refused);
  expect(error).toMatchObject({ code: "refused" });
  expect(JSON.stringify([error.message, error.hint, String(error.stack)])).not.toContain("nobody@");
  expect(mails).toEqual([]);
});

test("a server that isn't there, or doesn't know us, is for later", async () => {
  const { url } = await mailServer();
  const stranger = url.replace("user:secret", "user:wrong");
  const nowhere = "smtp://127.0.0.1:1";
  for (const wrong of [stranger, nowhere]) {
    expect(await codeOfAsync(smtpMail(fileWith({ url: wrong, from: FROM })).send(MAIL))).toBe("offline");
  }
});

test("a server on this machine may have a certificate of its own", async () => {
  const { url, mails } = await mailServer({ tls: true });
  await smtpMail(fileWith({ url, from: FROM })).send(MAIL);
  expect(mails).toHaveLength(1);
});

test("a server elsewhere gets neither password nor mail without TLS, or by a certificate that nobody vouches for", async () => {
  for (const tls of [false, true]) {
    const { port, mails, logins } = await mailServer({ tls });
    // This machine by an address that isn't loopback's.
    const mail = smtpMail(fileWith({ url: `smtp://user:secret@0.0.0.0:${port}`, from: FROM }));
    expect(await codeOfAsync(mail.send(MAIL))).toBe("offline");
    expect([mails, logins]).toEqual([[], []]);
  }
});

test("one address is one address: neither a list nor a header comes in through it", async () => {
  const { url, mails } = await mailServer();
  const mail = smtpMail(fileWith({ url, from: FROM }));
  await mail.send({ ...MAIL, to: "a@example.org, b@example.org" }).catch(() => {});
  await mail.send({ ...MAIL, to: "a@example.org>\r\nBcc: <b@example.org" }).catch(() => {});
  for (const { to, text } of mails) {
    expect(to).not.toContain(",");
    expect(text).not.toMatch(/^Bcc:/m);
  }
});

test.each([
  "not json",
  {},
  { url: "http://mail.example", from: FROM },
  { url: "smtp://mail.example" },
  { url: "smtp://mail.example", from: FROM, pasword: "x" },
])("a file that doesn't say how is refused at the start: %j", (content) => {
  expect(codeOf(() => smtpMail(fileWith(content)))).toBe("bad_data");
});
