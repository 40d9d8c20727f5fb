/** Bytes as base64 (RFC 4648), where neither Node's Buffer nor the browser's btoa may be used. */
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export function base64(bytes: Uint8Array): string {
  const groups: string[] = [];
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const word = (bytes[at] << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const digits = [18, 12, 6, 0].map((shift) => DIGITS[(word >>> shift) & 63]);
    groups.push(
      digits
        .slice(0, left + 1)
        .join("")
        .padEnd(4, "="),
    );
  }
  return groups.join("");
}
