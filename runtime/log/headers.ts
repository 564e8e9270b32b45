/**
 * Headers of records: which ones the log takes, and the form in which every adapter stores them.
 *
 * 1. Only `content-type` and the `ce-*` of CloudEvents are taken: headers that mean something to the broker cannot be written by way of a record.
 * 2. What is stored is printable ASCII on one line, whatever the value was.
 *
 * *Source*: CloudEvents, NATS protocol binding, section 3.1.3.2 (header values).
 */

/** Headers of a record, by name. */
export type RecordHeaders = Readonly<Record<string, string>>;

const attributeName = /^ce-[a-z0-9]+$/;
const plainAttribute = /^[\x21\x23\x24\x26-\x7e]*$/;
const encodedInAttribute = /[^\x21\x23\x24\x26-\x7e]+/gu;
const mediaType = /^[\x20-\x7e]+$/;

/**
 * Returns a header's value as it is stored: that of a `ce-*` header with all but printable ASCII, and space, `"` and `%`, percent-encoded.
 *
 * Errors: `TypeError` for a name that the log does not take, for a value that is no text, and for a `content-type` that is not printable ASCII.
 */
export function encodeHeaderValue(name: string, value: string): string {
  if (typeof value !== "string") throw new TypeError(`the header ${JSON.stringify(name)} is ${String(value)}, no text`);
  if (name === "content-type") {
    if (mediaType.test(value)) return value;
    throw new TypeError(`the header "content-type" is ${JSON.stringify(value)}, which is no media type`);
  }
  if (!attributeName.test(name)) {
    throw new TypeError(
      `the header ${JSON.stringify(name)} is not accepted: use "content-type", or "ce-" and lower-case letters or digits`,
    );
  }
  return plainAttribute.test(value) ? value : value.replace(encodedInAttribute, percentEncoded);
}

/** Writes headers as lines of the protocol, each with its line end; the text is ASCII. Errors: as {@link encodeHeaderValue}. */
export function headerLines(headers: RecordHeaders): string {
  let lines = "";
  for (const name of Object.keys(headers)) lines += `${name}: ${encodeHeaderValue(name, headers[name] as string)}\r\n`;
  return lines;
}

function percentEncoded(text: string): string {
  let encoded = "";
  for (const byte of Buffer.from(text)) encoded += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  return encoded;
}
