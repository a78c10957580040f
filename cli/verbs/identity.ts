/** identity passphrase, recovery-code, rotate; migrate-identity: the account's keys */
import type { Client } from "#protocol/registry.ts";
import { signingKeyIn } from "../key-file.ts";
import type { Context, Verb } from "../verb.ts";
import { newPassphrase, PASSPHRASE_FILE, recoveryText, secretOf } from "./account.ts";

const passphrase: Verb = {
  name: "identity passphrase",
  options: {
    "passphrase-file": PASSPHRASE_FILE,
    "new-passphrase-file": { type: "string", value: "F", about: "read the new passphrase from a file" },
  },
  summary: "another passphrase for the account",
  examples: ["claudemesh identity passphrase"],
  async run(context) {
    const client = await context.daemon();
    context.endless();
    const old = await secretOf(context, "passphrase-file", "Passphrase: ");
    const next = await newPassphrase(context, client, "new-passphrase-file");
    context.limited();
    await context.waiting("sealing the vault anew", client.account.passphrase({ passphrase: old, next }));
    const note =
      "the passphrase is another now; a copy of the vault that somebody took before still opens with the old one";
    context.print({ changed: true }, note);
  },
};

const recoveryCode: Verb = {
  name: "identity recovery-code",
  options: { "passphrase-file": PASSPHRASE_FILE },
  summary: "another recovery code, where the one before is lost",
  examples: ["claudemesh identity recovery-code"],
  async run(context) {
    const client = await context.daemon();
    context.endless();
    const passphrase = await secretOf(context, "passphrase-file", "Passphrase: ");
    context.limited();
    const done = await context.waiting("sealing the vault anew", client.account.recoveryCode({ passphrase }));
    context.print(done, recoveryText(done.recoveryCode));
  },
};

const migrate: Verb = {
  name: "migrate-identity",
  group: "account",
  args: ["FILE"],
  summary: "become an identity whose Ed25519 root key was made elsewhere",
  examples: ["claudemesh migrate-identity ~/old/identity.key"],
  async run({ args, daemon, print, waiting }) {
    const root = await signingKeyIn(args[0] ?? "");
    const client = await daemon();
    const done = await waiting("telling every workspace", client.account.migrate({ root }));
    print(done, `you are ${done.userId} now, in ${done.workspaces.join(", ")}`);
  },
};

const rotate: Verb = {
  name: "identity rotate",
  options: { "passphrase-file": PASSPHRASE_FILE },
  summary: "new keys in every workspace, on all of your machines",
  examples: ["claudemesh identity rotate"],
  async run(context) {
    const client = await context.daemon();
    const passphrase = await rootPassphrase(context, client);
    const done = await context.waiting("renewing the keys", client.account.rotate({ passphrase }));
    context.print(done, `your keys are new everywhere (seed ${done.seed})${stillToHear(done.waiting)}`);
  },
};

/** What opens the root; undefined where this machine still has it. Only the waiting after it is limited. */
export async function rootPassphrase(context: Context, client: Client): Promise<string | undefined> {
  const { registered } = await client.account.whoami({});
  if (!registered) return undefined;
  context.endless();
  const passphrase = await secretOf(context, "passphrase-file", "Passphrase: ");
  context.limited();
  return passphrase;
}

export function stillToHear(waiting: readonly string[]): string {
  return waiting.length > 0 ? `; to be told when their broker is there: ${waiting.join(", ")}` : "";
}

export const identityVerbs = [passphrase, recoveryCode, rotate, migrate];
