/** devices list, add, rename, revoke: the machines of one person */
import { paint, safe, table } from "../print.ts";
import type { Verb } from "../verb.ts";
import { PASSPHRASE_FILE } from "./account.ts";
import { rootPassphrase, stillToHear } from "./identity.ts";

const list: Verb = {
  name: "devices list",
  aliases: ["devices"],
  summary: "the machines of this account, and when each was last there",
  examples: ["claudemesh devices list"],
  async run({ daemon, print }) {
    const client = await daemon();
    const { devices } = await client.device.list({});
    const rows = devices.map(({ id, name, you, revoked, lastSeen, pairedBy }) => [
      safe(name),
      id.slice(-8),
      revoked ? paint("red", "revoked") : you ? "this one" : `seen ${lastSeen}`,
      pairedBy ? `paired by ${safe(pairedBy)}` : "",
    ]);
    print({ devices }, table(rows));
  },
};

const rename: Verb = {
  name: "devices rename",
  args: ["DEVICE", "NAME…"],
  summary: "call one of your machines by another name",
  examples: ["claudemesh devices rename laptop old laptop"],
  async run({ args, daemon, print }) {
    const [device = "", ...words] = args;
    const client = await daemon();
    const renamed = await client.device.rename({ device, name: words.join(" ") });
    print(renamed, `${renamed.id.slice(-8)} is ${safe(renamed.name)} now`);
  },
};

const add: Verb = {
  name: "devices add",
  summary: "let a further machine in without the passphrase, by a code that is good once and for two minutes",
  examples: ["claudemesh devices add"],
  async run({ daemon, endless, json, print }) {
    const client = await daemon();
    endless();
    const { renderUnicodeCompact } = await import("uqr");
    const paired = await client.device.add({}, ({ code, broker }) => {
      if (json) return print({ code, broker }, "");
      process.stderr.write(
        `${renderUnicodeCompact(code)}\n\n  ${paint("bold", code)}\n\nOn the other machine: claudemesh login --broker ${broker} --pair\nIt asks for this code; whoever has it within two minutes comes in. Waiting…\n`,
      );
    });
    print(paired, `${safe(paired.name)} (${paired.id.slice(-8)}) is one of your machines now`);
  },
};

const revoke: Verb = {
  name: "devices revoke",
  args: ["DEVICE"],
  options: { "passphrase-file": PASSPHRASE_FILE },
  summary: "cut a machine off for good, and all that it has paired; the others get new keys",
  examples: ["claudemesh devices revoke laptop"],
  async run(context) {
    const [device = ""] = context.args;
    const client = await context.daemon();
    const passphrase = await rootPassphrase(context, client);
    const done = await context.waiting("renewing the keys", client.device.revoke({ device, passphrase }));
    const names = done.revoked.map(({ id, name }) => `${safe(name)} (${id.slice(-8)})`).join(", ");
    context.print(done, `revoked: ${names}${stillToHear(done.waiting)}`);
  },
};

export const deviceVerbs = [list, add, rename, revoke];
