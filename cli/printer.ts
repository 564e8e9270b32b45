/**
 * Printing: one description of a kind of item, three formats.
 *
 * 1. `json`: one document for each item, one a line. `ids`: what names the item, one a line, for the next command in a pipe.
 * 2. `table`: aligned columns. On a terminal no line is longer than it is wide: minor columns are left out, then flexible ones are cut.
 * 3. Notes about the output (nothing found, list cut) go to standard error: what a pipe reads holds items only.
 */
import { shownJson, toPlain } from "./shown-values.ts";
import { cut, pad, paint, printable, type Style, type Terminal, widthOf } from "./terminal.ts";

/** How results are printed. */
export type OutputFormat = "table" | "json" | "ids";

/** All output formats. */
export const outputFormats = ["table", "json", "ids"] as const satisfies readonly OutputFormat[];

/** A column of a table. */
export interface Column<Item> {
  readonly header: string;
  /** Printed as it is given, but for control characters. */
  readonly cell: (item: Item) => string;
  readonly style?: (item: Item) => Style | undefined;
  /** Is cut when the terminal is narrow. */
  readonly isFlexible?: boolean;
  /** Is left out when the terminal is so narrow that flexible columns could not be read. */
  readonly isMinor?: boolean;
}

/** One line of what is said about a single item: its label, and one or more lines of text. */
export interface Field {
  readonly label: string;
  readonly text: string | readonly string[];
  readonly style?: Style;
}

/** How items of one kind are printed. */
export interface Kind<Item> {
  readonly id: (item: Item) => string;
  readonly json: (item: Item) => unknown;
  readonly columns: ReadonlyArray<Column<Item>>;
}

/** How a single item is printed in full. */
export interface FullKind<Item> {
  readonly id: (item: Item) => string;
  readonly json: (item: Item) => unknown;
  readonly fields: (item: Item, width: number) => readonly Field[];
}

const gap = "  ";
const narrowest = 8;
/** A flexible column that is cut to less makes minor columns go. */
const readableWidth = 24;
/** How wide a value may be on one line where there is no terminal to measure. */
const pageWidth = 120;

/** Prints items as rows; rows added later keep the columns of the first ones. */
export class ListPrinter<Item> {
  readonly #out: Terminal;
  readonly #format: OutputFormat;
  readonly #kind: Kind<Item>;
  #layout: Layout<Item> | undefined;

  constructor(out: Terminal, format: OutputFormat, kind: Kind<Item>) {
    this.#out = out;
    this.#format = format;
    this.#kind = kind;
  }

  print(items: readonly Item[]): void {
    if (items.length === 0) return;
    const lines = this.#format === "table" ? this.#rows(items) : items.map((item) => this.#line(item));
    this.#out.write(`${lines.join("\n")}\n`);
  }

  #line(item: Item): string {
    return lineOf(this.#kind, this.#format, item);
  }

  #rows(items: readonly Item[]): string[] {
    const isFirst = this.#layout === undefined;
    const layout = this.#layout ?? layOut(this.#kind.columns, items, this.#out.width);
    this.#layout = layout;
    const header = layout.map(({ column }) => ({ text: column.header.toUpperCase(), style: "dim" as const }));
    const rows = items.map((item) =>
      layout.map(({ column }) => ({ text: printable(column.cell(item)), style: column.style?.(item) })),
    );
    return (isFirst ? [header, ...rows] : rows).map((cells) => this.#row(cells, layout));
  }

  #row(
    cells: ReadonlyArray<{ readonly text: string; readonly style: Style | undefined }>,
    layout: Layout<Item>,
  ): string {
    let left = this.#out.width ?? Number.POSITIVE_INFINITY;
    let line = "";
    for (const [at, { text, style }] of cells.entries()) {
      const before = at === 0 ? 0 : gap.length;
      const isLast = at === cells.length - 1;
      // The last column has nothing behind it to be aligned; rows that come later may be wider than the first ones were.
      const aligned = isLast ? 0 : (layout[at]?.width as number);
      const natural = isLast || this.#out.width === undefined ? Math.max(aligned, widthOf(text)) : aligned;
      const width = Math.min(natural, left - before);
      if (width <= 0) break;
      const shown = cut(text, width);
      line += " ".repeat(before) + paint(this.#out, style, shown) + " ".repeat(width - widthOf(shown));
      left -= before + width;
    }
    return line.trimEnd();
  }
}

/** Prints a list at once. */
export function printList<Item>(out: Terminal, format: OutputFormat, kind: Kind<Item>, items: readonly Item[]): void {
  new ListPrinter(out, format, kind).print(items);
}

/** Prints one item in full: in the table format, a line for each thing to say about it. */
export function printItem<Item>(out: Terminal, format: OutputFormat, kind: FullKind<Item>, item: Item): void {
  if (format !== "table") {
    out.write(`${lineOf(kind, format, item)}\n`);
    return;
  }
  const fields = kind.fields(item, out.width ?? pageWidth);
  const labelWidth = Math.max(...fields.map(({ label }) => widthOf(label)));
  const lines = fields.flatMap(({ label, text, style }) =>
    (typeof text === "string" ? [text] : text).map((line, at) => {
      const shown = paint(out, style, printable(line));
      return `${paint(out, "dim", pad(at === 0 ? label : "", labelWidth))}${gap}${shown}`.trimEnd();
    }),
  );
  out.write(`${lines.join("\n")}\n`);
}

/** Writes a value on one line where it fits beside a label, and else over several. */
export function fitJson(
  value: unknown,
  lines: (value: unknown) => readonly string[],
  width: number,
): string | readonly string[] {
  const short = shownJson(value);
  return widthOf(short) <= Math.max(20, width - 14) ? short : lines(value);
}

function lineOf<Item>(kind: Pick<Kind<Item>, "id" | "json">, format: OutputFormat, item: Item): string {
  return format === "json" ? JSON.stringify(toPlain(kind.json(item))) : printable(kind.id(item));
}

type Layout<Item> = ReadonlyArray<{ readonly column: Column<Item>; readonly width: number }>;

function layOut<Item>(
  columns: ReadonlyArray<Column<Item>>,
  items: readonly Item[],
  terminalWidth: number | undefined,
): Layout<Item> {
  let layout = columns.map((column) => ({
    column,
    width: items.reduce(
      (widest, item) => Math.max(widest, widthOf(printable(column.cell(item)))),
      widthOf(column.header),
    ),
  }));
  if (terminalWidth === undefined) return layout;
  const excess = (least: number) =>
    layout.reduce((sum, { column, width }) => sum + (column.isFlexible === true ? Math.min(width, least) : width), 0) +
    gap.length * (layout.length - 1) -
    terminalWidth;
  while (excess(readableWidth) > 0) {
    const minor = layout.findLast(({ column }) => column.isMinor === true);
    if (minor === undefined) break;
    layout = layout.filter((entry) => entry !== minor);
  }
  for (let over = excess(Number.POSITIVE_INFINITY); over > 0; over--) {
    // The widest goes first, one column of text at a time, so that the flexible ones end up alike.
    const flexible = layout.filter(({ column, width }) => column.isFlexible === true && width > narrowest);
    const widest = flexible.reduce<(typeof layout)[number] | undefined>(
      (found, entry) => (found === undefined || entry.width > found.width ? entry : found),
      undefined,
    );
    if (widest === undefined) break;
    widest.width--;
  }
  return layout;
}
