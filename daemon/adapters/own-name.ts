/** The account's name where nobody has given one. */
import { userInfo } from "node:os";
import { legalName } from "#protocol/derive.ts";

export function ownName(): string {
  return legalName(process.env.USER ?? "") || legalName(userInfo().username) || "me";
}
