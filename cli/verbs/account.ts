/** login, logout, whoami: the person */
import { MeshError } from "#protocol/errors.ts";
import type { Client } from "#protocol/registry.ts";
import { askLine, askSecret, canAsk, secretIn } from "../ask.ts";
import { string } from "../input.ts";
import { paint, safe } from "../print.ts";
import type { Context, Verb } from "../verb.ts";

export const PASSPHRASE_FILE = {
  type: "string",
  value: "F",
  about: "read the passphrase from the first line of a file (- for stdin) rather than ask",
} as const;

type Where = { broker?: string | undefined; email?: string | undefined };

const login: Verb = {
  name: "login",
  group: "account",
  options: {
    broker: {
      type: "string",
      value: "URL",
      about: "the account's home broker; that of last time without it",
    },
    email: {
      type: "string",
      value: "E",
      about: "the e-mail address to log in with; that of last time without it",
    },
    register: { type: "boolean", about: "make this machine's account one that is the same everywhere" },
    recover: { type: "boolean", about: "come in by the recovery code, and choose another passphrase" },
    pair: { type: "boolean", about: "come in by the code that `devices add` shows on another machine" },
    "code-file": { type: "string", value: "F", about: "read that code from a file" },
    "passphrase-file": PASSPHRASE_FILE,
    "recovery-file": { type: "string", value: "F", about: "read the recovery code from a file" },
  },
  summary: "the same account on every machine of yours",
  examples: [
    "claudemesh login --broker https://mesh.example --email alice@example.org --register",
    "claudemesh login --broker https://mesh.example --email alice@example.org",
    "claudemesh login --recover",
    "claudemesh login --broker https://mesh.example --pair",
  ],
  async run(context) {
    const { options, daemon, limited, waiting, print } = context;
    if ([options.register, options.recover, options.pair].filter((one) => one === true).length > 1)
      throw new MeshError(
        "usage",
        "--register, --recover and --pair are three ways in.",
        "Give one of them.",
      );
    const client = await daemon();
    context.endless();
    if (options.pair === true) return pair(context, client);
    const where = await whereOf(context, client);
    if (options.register === true) return register(context, client, where);
    const recoveryCode =
      options.recover === true ? await secretOf(context, "recovery-file", "Recovery code: ") : null;
    const question = recoveryCode === null ? "Passphrase: " : "New passphrase: ";
    const passphrase = await secretOf(context, "passphrase-file", question);
    limited();
    const asked =
      recoveryCode === null
        ? client.account.login({ ...where, passphrase })
        : client.account.recover({ ...where, passphrase, recoveryCode });
    print(...loggedIn(await waiting("logging in", asked)));
  },
};

async function pair(context: Context, client: Client): Promise<void> {
  const code = await secretOf(context, "code-file", "Code: ");
  const asked = client.account.pair({ broker: string(context.options.broker), code });
  context.print(...loggedIn(await context.waiting("waiting for the other machine", asked)));
}

type LoggedIn = Awaited<ReturnType<Client["account"]["login"]>>;

function loggedIn(done: LoggedIn): [LoggedIn, string] {
  const code = done.recoveryCode ? `\n\n${recoveryText(done.recoveryCode)}` : "";
  const here = done.workspaces.join(", ");
  return [done, `logged in as ${safe(done.name)} (${done.email}); here now: ${here}${code}`];
}

async function register(context: Context, client: Client, where: Where): Promise<void> {
  const passphrase = await newPassphrase(context, client);
  context.limited();
  const done = await context.waiting("registering", client.account.register({ ...where, passphrase }));
  const code = done.recoveryCode ?? "";
  const said = `registered ${safe(done.name)} (${done.email}) at ${done.broker}`;
  if (!canAsk(context)) return context.print(done, `${said}\n\n${recoveryText(code)}`);
  context.endless();
  process.stderr.write(`\n${recoveryText(code)}\n\n`);
  const last = code.split("-").slice(-2).join("-");
  for (;;) {
    const typed = await askLine("Type its last two groups, to be sure that you have it: ");
    if (typed.toUpperCase().replaceAll(/[\s-]/g, "") === last.replaceAll("-", "")) break;
    process.stderr.write("That isn't what it says there.\n");
  }
  context.print(done, said);
}

const logout: Verb = {
  name: "logout",
  group: "account",
  summary: "forget this account's keys on this machine, and what they open",
  examples: ["claudemesh logout"],
  async run({ options, daemon, print }) {
    const client = await daemon();
    const done = await client.account.logout({ force: options.yes === true });
    print(done, `logged out; come back with: claudemesh login --broker ${done.broker} --email ${done.email}`);
  },
};

const whoami: Verb = {
  name: "whoami",
  group: "account",
  summary: "the account, its fingerprints and devices, and what is stored where",
  examples: ["claudemesh whoami"],
  async run({ daemon, print }) {
    const client = await daemon();
    const me = await client.account.whoami({});
    const lines = [
      `${paint("bold", safe(me.name))} ${me.userId}`,
      me.registered ? `registered at ${me.broker} as ${me.email}` : "lives on this machine only",
      `root key  ${me.rootFingerprint}`,
      `device    ${me.device.fingerprint}  ${safe(me.device.name)}`,
      ...me.devices
        .filter(({ you }) => !you)
        .map(({ id, name }) => `also      ${id.slice(-8)}  ${safe(name)}`),
      ...(me.trouble ? [`trouble   ${me.trouble}`] : []),
      ...me.stored.map(({ what, where }) => `${where}: ${what}`),
    ];
    print(me, lines.join("\n"));
  },
};

async function whereOf(context: Context, client: Client): Promise<Where> {
  const broker = string(context.options.broker);
  const email = string(context.options.email);
  if (email !== undefined || !canAsk(context)) return { broker, email };
  const known = await client.account.whoami({}).catch(() => null);
  return { broker, email: known?.email ?? (await askLine("E-mail address: ")) };
}

/** From the file that the flag names, else from the terminal. @throws MeshError usage */
export async function secretOf(context: Context, flag: string, question: string): Promise<string> {
  const file = string(context.options[flag]);
  if (file !== undefined) return secretIn(file);
  if (canAsk(context)) return askSecret(question);
  throw new MeshError(
    "usage",
    `${question.replace(/: $/, "")} is needed, and there is nobody to ask.`,
    `Add --${flag} FILE`,
  );
}

export async function newPassphrase(
  context: Context,
  client: Client,
  flag = "passphrase-file",
): Promise<string> {
  if (string(context.options[flag]) !== undefined || !canAsk(context))
    return secretOf(context, flag, "A passphrase: ");
  const { passphrase: offered } = await client.account.suggest({});
  process.stderr.write(
    `Six random words make a passphrase that nobody guesses:\n\n  ${paint("bold", offered)}\n\n`,
  );
  for (;;) {
    const chosen = (await askSecret("New passphrase (Enter takes these words): ")) || offered;
    if (chosen === offered || chosen === (await askSecret("Again: "))) return chosen;
    process.stderr.write("The two differ.\n");
  }
}

export function recoveryText(code: string): string {
  return `Recovery code, shown this once: it opens the account when the passphrase is lost.\nWrite it down and keep it away from this machine:\n\n  ${paint("bold", code)}`;
}

export const accountVerbs = [login, logout, whoami];
