/**
 * Colour for terminals: 24-bit colours written as the terminal can show them, or not at all.
 *
 * Callers give colours as numbers, red first, and never write escapes themselves.
 */

/** What the reader's terminal shows. */
export type ColourDepth = "none" | "256" | "all";

const RESET = "\x1b[0m";
const CUBE_STEPS = [0, 95, 135, 175, 215, 255];

/** `text` on and in the given colours; null leaves one as it is. */
export function paint(
  depth: ColourDepth,
  text: string,
  foreground: number | null,
  background: number | null = null,
): string {
  if (depth === "none") return text;
  const front = foreground === null ? "" : sequence(depth, 38, foreground);
  const back = background === null ? "" : sequence(depth, 48, background);
  return `${front}${back}${text}${RESET}`;
}

export function bold(depth: ColourDepth, text: string): string {
  return depth === "none" ? text : `\x1b[1m${text}${RESET}`;
}

export function dim(depth: ColourDepth, text: string): string {
  return depth === "none" ? text : `\x1b[2m${text}${RESET}`;
}

/** Black or white, whichever reads better on `ground`. */
export function inkOn(ground: number): number {
  const [red, green, blue] = [ground >>> 16, (ground >>> 8) & 0xff, ground & 0xff];
  return red * 0.299 + green * 0.587 + blue * 0.114 > 140 ? 0x000000 : 0xffffff;
}

/** `share` of `over` laid on `under`, 0 to 1. */
export function mix(under: number, over: number, share: number): number {
  const channel = (shift: number): number => {
    const from = (under >>> shift) & 0xff;
    const to = (over >>> shift) & 0xff;
    return Math.round(from + (to - from) * share) << shift;
  };
  return channel(16) | channel(8) | channel(0);
}

function sequence(depth: ColourDepth, code: number, colour: number): string {
  const [red, green, blue] = [colour >>> 16, (colour >>> 8) & 0xff, colour & 0xff];
  return depth === "all"
    ? `\x1b[${code};2;${red};${green};${blue}m`
    : `\x1b[${code};5;${cubeIndex(red, green, blue)}m`;
}

/** The nearest of the 216 colours and 24 greys that terminals of 256 colours share. */
function cubeIndex(red: number, green: number, blue: number): number {
  const [r, g, b] = [red, green, blue].map(nearestStep);
  const grey = Math.min(23, Math.max(0, Math.round(((red + green + blue) / 3 - 8) / 10)));
  const greyLevel = 8 + grey * 10;
  const apart = (x: number, y: number, z: number): number =>
    (red - x) ** 2 + (green - y) ** 2 + (blue - z) ** 2;
  return apart(greyLevel, greyLevel, greyLevel) < apart(CUBE_STEPS[r], CUBE_STEPS[g], CUBE_STEPS[b])
    ? 232 + grey
    : 16 + 36 * r + 6 * g + b;
}

function nearestStep(level: number): number {
  let best = 0;
  for (const [index, step] of CUBE_STEPS.entries()) {
    if (Math.abs(step - level) < Math.abs(CUBE_STEPS[best] - level)) best = index;
  }
  return best;
}
