/**
 * Filters of dead letters as text, as in `type:order state:paying since:2h -event:PAY "card declined"`.
 *
 * 1. Nothing is passed over: what is no field, value or word is refused, with the place and what to write instead.
 * 2. The text says nothing that the object cannot say: it is read into one, and checked as one.
 *
 * *Source*: docs/adr/0012-dead-letter-office.md says which libraries were looked at.
 */

/** A term of the text: a field with its values, or a word. */
export interface FilterTerm {
  /** Undefined for a word that stands alone. */
  readonly field: string | undefined;
  readonly values: readonly string[];
  readonly isNegated: boolean;
  /** As it was written, for messages. */
  readonly text: string;
}

const fieldName = /^[A-Za-z][A-Za-z0-9-]*$/;

/**
 * Takes the text apart; adds to `problems` what cannot be read.
 *
 * *Details*: terms stand between spaces. `field:value`, `field:one,other` for either, `-` or `!` before a term for what is not wanted. Double quotes hold a value or
 * a word together; within them `\"` is a quote and `\\` a backslash.
 */
export function termsOf(text: string, problems: string[]): FilterTerm[] {
  const terms: FilterTerm[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at] as string)) {
      at++;
      continue;
    }
    const begin = at;
    const isNegated = /^[-!][^\s]/.test(text.slice(at, at + 2));
    if (isNegated) at++;
    // The parts between commas, and whether a part was quoted: a quoted comma or colon is no mark.
    let field: string | undefined;
    let value = "";
    const values: string[] = [];
    let isQuoted = false;
    while (at < text.length && !/\s/.test(text[at] as string)) {
      const character = text[at] as string;
      if (character === '"') {
        const quoted = quotedAt(text, at);
        if (quoted === undefined) {
          problems.push(
            `${text.slice(begin)} has a quote that is not closed: add " at the end, or write \\" within quotes`,
          );
          return terms;
        }
        value += quoted.text;
        at = quoted.end;
        isQuoted = true;
        continue;
      }
      if (character === ":" && field === undefined && !isQuoted && fieldName.test(value)) {
        field = value;
        value = "";
      } else if (character === "," && field !== undefined) {
        values.push(value);
        value = "";
      } else value += character;
      at++;
    }
    values.push(value);
    const written = text.slice(begin, at);
    if (field !== undefined && values.some((each) => each === "")) {
      problems.push(`${written} has no value behind "${values.length > 1 ? "," : ":"}": write ${field}:value`);
    } else if (values[0] !== "") terms.push({ field, values, isNegated, text: written });
  }
  return terms;
}

/** Writes a value so that {@link termsOf} reads it as one. */
export function quotedValue(value: string): string {
  return /^[^\s",:!-][^\s",]*$/.test(value) ? value : `"${value.replaceAll(/["\\]/g, "\\$&")}"`;
}

/** The quoted text that begins at `from`; undefined when it does not end. */
function quotedAt(text: string, from: number): { readonly text: string; readonly end: number } | undefined {
  let read = "";
  for (let at = from + 1; at < text.length; at++) {
    const character = text[at] as string;
    if (character === '"') return { text: read, end: at + 1 };
    if (character === "\\" && /["\\]/.test(text[at + 1] ?? "")) read += text[++at] as string;
    else read += character;
  }
  return undefined;
}
