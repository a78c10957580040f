/** backup, restore: the person in a file */
import { existsSync, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { writeFileAtomically } from "#adapters/atomic-file.ts";
import { fromSystem } from "#adapters/system-error.ts";
import { fromBase64url, toBase64url } from "#protocol/bytes.ts";
import { MeshError } from "#protocol/errors.ts";
import { confirm } from "../confirm.ts";
import { safe } from "../print.ts";
import type { Verb } from "../verb.ts";
import { newPassphrase, PASSPHRASE_FILE, secretOf } from "./account.ts";

const MOST_BYTES = 1024 * 1024;

const backup: Verb = {
  name: "backup",
  group: "account",
  args: ["FILE"],
  options: {
    "passphrase-file": PASSPHRASE_FILE,
    "with-root": {
      type: "boolean",
      about: "of a registered account its root, too, which its own passphrase opens",
    },
    "root-passphrase-file": {
      type: "string",
      value: "F",
      about: "read the account's passphrase from a file",
    },
  },
  summary: "this account in a file, sealed under a passphrase of its own",
  examples: ["claudemesh backup ~/claudemesh.backup", "claudemesh backup ~/claudemesh.backup --with-root"],
  async run(context) {
    const path = resolve(context.args[0] ?? "");
    if (existsSync(path)) await confirm(context, `${path} is there already, and would be replaced.`);
    const client = await context.daemon();
    context.endless();
    const { registered } = await client.account.whoami({});
    const rootPassphrase =
      registered && context.options["with-root"] === true
        ? await secretOf(context, "root-passphrase-file", "Passphrase of the account: ")
        : undefined;
    const passphrase = await newPassphrase(context, client);
    context.limited();
    const made = await context.waiting("sealing", client.account.backup({ passphrase, rootPassphrase }));
    const { file, ...said } = made;
    try {
      writeFileAtomically(path, fromBase64url(file));
    } catch (error) {
      throw (
        fromSystem(error, path) ?? unusable(path, "written", error, "Give a file in a folder that is there.")
      );
    }
    const lines = [
      `${path}: ${["your keys", ...said.workspaces].join(", ")}; it opens with the passphrase alone, so keep both apart`,
      ...(said.root
        ? []
        : ["not the root: it stays in the vault, which a login opens; --with-root takes it along"]),
      ...(said.left.length > 0
        ? [`not what was said in ${said.left.join(", ")}: it is on this machine only`]
        : []),
    ];
    context.print({ path, ...said }, lines.join("\n"));
  },
};

const restore: Verb = {
  name: "restore",
  group: "account",
  args: ["FILE"],
  options: { "passphrase-file": PASSPHRASE_FILE },
  summary: "make this machine one of the account's in a backup",
  examples: ["claudemesh restore ~/claudemesh.backup"],
  async run(context) {
    const file = toBase64url(bytesIn(resolve(context.args[0] ?? "")));
    const client = await context.daemon();
    context.endless();
    const passphrase = await secretOf(context, "passphrase-file", "Passphrase of the backup: ");
    context.limited();
    const done = await context.waiting("restoring", client.account.restore({ file, passphrase }));
    const what = done.isNewDevice ? "is a new machine of" : "was one of the machines of";
    context.print(done, `this ${what} ${safe(done.name)}; here now: ${done.workspaces.join(", ")}`);
  },
};

/** @throws MeshError bad_data */
function bytesIn(path: string): Uint8Array {
  try {
    if (statSync(path).size <= MOST_BYTES) return readFileSync(path);
  } catch (error) {
    throw unusable(path, "read", error, "Give a file that `backup` made.");
  }
  throw new MeshError("bad_data", `${path} is no backup: it is too large.`, "Is it the right file?");
}

function unusable(path: string, what: string, error: unknown, hint: string): MeshError {
  const why = error instanceof Error && "code" in error ? String(error.code) : String(error);
  return new MeshError("bad_data", `${path} can't be ${what}: ${why}.`, hint);
}

export const backupVerbs = [backup, restore];
