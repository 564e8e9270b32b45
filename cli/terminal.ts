/**
 * The terminal: how wide texts are, how they are cut and coloured, and what may not reach it.
 *
 * 1. Texts that others wrote (ids, event types, errors) are printed through {@link printable}: no control character of theirs is obeyed.
 * 2. Nothing is coloured unless the stream is a terminal and `NO_COLOR` is not set.
 */

/** A stream to print to. */
export interface Terminal {
  readonly write: (text: string) => void;
  /** Columns; undefined when it is no terminal, and nothing is cut then. */
  readonly width: number | undefined;
  readonly hasColour: boolean;
}

/** What commands read from and print to. */
export interface Io {
  readonly out: Terminal;
  readonly err: Terminal;
  readonly stdin: AsyncIterable<string | Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** How a text is coloured. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow";

const codes: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

/** Makes a terminal of a stream of this process. */
export function openTerminal(
  stream: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number },
  env: Readonly<Record<string, string | undefined>>,
): Terminal {
  const isTerminal = stream.isTTY === true;
  const isPlain = (env.NO_COLOR ?? "") !== "" || env.TERM === "dumb";
  return {
    write: (text) => void stream.write(text),
    width: isTerminal ? (stream.columns ?? 80) : undefined,
    hasColour: isTerminal && !isPlain,
  };
}

/** Colours a text where the terminal has colours. */
export function paint(terminal: Terminal, style: Style | undefined, text: string): string {
  if (style === undefined || !terminal.hasColour || text === "") return text;
  const [open, close] = codes[style];
  return `\u001b[${open}m${text}\u001b[${close}m`;
}

/** Writes control characters, line breaks and characters that turn the direction of text as escapes. */
export function printable(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (char) => named[char] ?? `\\u${(char.codePointAt(0) as number).toString(16).padStart(4, "0")}`,
  );
}

const named: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

const segments = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const ascii = /^[\u0020-\u007e]*$/;
const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]|^[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\ufe0f/u;

/** Counts the columns that a printable text takes. */
export function widthOf(text: string): number {
  if (ascii.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segments.segment(text)) width += widthOfSegment(segment);
  return width;
}

function widthOfSegment(segment: string): number {
  return wide.test(segment) ? 2 : /^\p{Mark}/u.test(segment) ? 0 : 1;
}

/** Cuts a printable text to at most `width` columns; a cut text ends in `…`. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of segments.segment(text)) {
    const next = widthOfSegment(segment);
    if (used + next > width - 1) break;
    kept += segment;
    used += next;
  }
  return `${kept}…`;
}

/** Fills a printable text up with spaces. */
export function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}
