/** People of `test/mesh.ts` who have an account at its broker, and what their handlers answer. */
import { accountHandlers } from "#sdk/features/account.ts";
import { deviceHandlers } from "#sdk/features/device.ts";
import { type Member, ORIGIN } from "./mesh.ts";

export const PASSPHRASE = "correct horse battery staple";
/** Where alice is registered, and what opens it. */
export const ALICE = { broker: ORIGIN, email: "alice@example.org", passphrase: PASSPHRASE };

export const nothing = () => {};
export const accountOf = ({ peer }: Member) => accountHandlers(peer, { given: ORIGIN, embedded: null });
export const devicesOf = ({ peer }: Member) => deviceHandlers(peer);
export const workspaceOf = (member: Member, slug = "acme") => member.peer.readable(slug)[0]?.workspace;
export const chainOf = (member: Member) => workspaceOf(member)?.chain() ?? null;
export const texts = async (member: Member) => (await member.inbox()).map(({ text }) => text);
export const hears = (member: Member, text: string) =>
  member.until(async () => (await texts(member)).includes(text), `"${text}"`);
