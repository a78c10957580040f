/** E-mail by SMTP. What goes wrong is told by its class alone: a server's answer may repeat the address. */
import { readFileSync } from "node:fs";
import { createTransport } from "nodemailer";
import { z } from "zod";
import { MeshError } from "#protocol/errors.ts";
import type { Mail } from "../ports.ts";
import { isLoopback } from "./address.ts";

/** Of each step: a device waits for the answer. */
const STEP_LIMIT_MS = 5000;
const TIMES = {
  connectionTimeout: STEP_LIMIT_MS,
  greetingTimeout: STEP_LIMIT_MS,
  socketTimeout: STEP_LIMIT_MS,
  dnsTimeout: STEP_LIMIT_MS,
};

const settings = z.strictObject({ url: z.url({ protocol: /^smtps?$/ }), from: z.string().min(3).max(320) });

/** From a file with {"url":"smtp://user:password@host:587","from":"Name <address>"}. @throws MeshError bad_data */
export function smtpMail(file: string): Mail {
  const { url, from } = readSettings(file);
  const { hostname } = new URL(url);
  const isHere = hostname === "localhost" || isLoopback(hostname);
  // Elsewhere a password goes nowhere before there is TLS; on this machine a server's certificate is often its own.
  const safety = isHere ? { tls: { rejectUnauthorized: false } } : { requireTLS: true };
  const transport = createTransport({
    url,
    ...safety,
    ...TIMES,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send({ to, subject, text }) {
      try {
        await transport.sendMail({ from, to: { name: "", address: to }, subject, text });
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "EENVELOPE") {
          throw new MeshError(
            "refused",
            "The mail server doesn't take e-mail for this address.",
            "Check the address; if it is right, tell whoever runs the broker.",
          );
        }
        throw new MeshError(
          "offline",
          "The mail server didn't take the e-mail.",
          "Try again later; if it stays so, tell whoever runs the broker.",
        );
      }
    },
  };
}

function readSettings(file: string): z.infer<typeof settings> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error) throw error;
    value = null;
  }
  const parsed = settings.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new MeshError(
    "bad_data",
    "The --smtp-file doesn't say how to send e-mail.",
    'It holds {"url":"smtp://user:password@host:587","from":"claudemesh <mesh@host>"}.',
  );
}
