/**
 * Numbers and texts as reports show them; `–` for what isn't finite.
 *
 * @module
 */

/**
 * A text with the characters replaced that mean something in HTML, or are
 * forbidden in it.
 */
export function escapeHtml(text: string): string {
  const names: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text
    .replaceAll(/(?![\n\t])\p{Cc}/gu, "\uFFFD")
    .replaceAll(/[&<>"']/g, (character) => names[character]);
}

/** A duration in words, such as `2 min 5 s`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes} min ${whole % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A whole number such as `1,234`. */
export function count(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en") : "–";
}

/** A number with so many digits after the point. */
export function decimals(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "–";
}

/** Three digits that count. */
export function short(value: number): string {
  return Number.isFinite(value)
    ? value.toLocaleString("en", { maximumSignificantDigits: 3 })
    : "–";
}

/** A learning rate or the like: `1e-3`, `2.5e-4`, `0`. */
export function scientific(value: number): string {
  return value === 0
    ? "0"
    : value.toExponential().replace("e+0", "").replace("+", "");
}

/** A text whose first letter is a capital. */
export function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A size such as `1.2 MB`. */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = Math.min(
    units.length - 1,
    Math.floor(Math.log10(Math.max(1, bytes)) / 3),
  );
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toPrecision(3)} ${units[power]}`;
}
