/** Where a connection comes from, as limits tell addresses apart. */
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

type Asked = { socket: { remoteAddress?: string | undefined }; headers: IncomingHttpHeaders };

/**
 * The other end's address; behind a proxy on this machine or in `proxies` the last one in X-Forwarded-For, which is the
 * proxy's own word: whatever stands before it anybody may have written.
 */
export function addressOf(request: Asked, proxies: ReadonlySet<string>): string {
  const direct = plain(request.socket.remoteAddress ?? "");
  if (!isProxy(direct, proxies)) return networkOf(direct);
  const forwarded = plain(
    String(request.headers["x-forwarded-for"] ?? "")
      .split(",")
      .at(-1)
      ?.trim() ?? "",
  );
  return networkOf(isIP(forwarded) ? forwarded : direct);
}

/** Whether it is one of which many people may stand behind. */
export function isProxy(address: string, proxies: ReadonlySet<string>): boolean {
  return isLoopback(address) || proxies.has(plain(address));
}

export function isLoopback(address: string): boolean {
  return address === "::1" || plain(address).startsWith("127.");
}

/** An IPv4 address as IPv6 writes it, as itself. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

/** Whoever has one address of IPv6 has its whole /64. */
function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = "", tail] = address.replace(/%.*$/, "").split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail ? tail.split(":") : [];
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  const groups = [...first, ...Array.from({ length: zeros }, () => "0"), ...last];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
