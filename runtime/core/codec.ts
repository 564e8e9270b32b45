/**
 * Values as they are stored: plain JSON stays as it is, everything else that is worth keeping gets a tag.
 *
 * 1. Where nothing needs a tag, both directions return the very value they were given: the common case costs one walk and no copy.
 * 2. A tag is an object with the key `~`: `{ "~": "date", "v": "2024-01-01T00:00:00.000Z" }`. An object of the user's own that has this key is wrapped
 *    (`{ "~": "object", "v": … }`), so that no value is ever taken for a tag.
 * 3. What cannot be stored faithfully is refused with its path; nothing is dropped or changed in silence, except as said at {@link toStored}.
 * 4. The tags are part of the stored format: a tag once written keeps its meaning for ever.
 */
import { CorruptRecordError, NotStorableError } from "./errors.ts";
import { fromStoredReference, targetOf, toStoredReference } from "./reference.ts";

const tag = "~";

/** How many objects, arrays, maps and sets may be nested in each other. */
const maxDepth = 200;

/**
 * Encodes a value so that it survives JSON.
 *
 * Details: beside plain JSON it keeps `undefined` (in objects and arrays too), Date (also invalid ones), Map, Set, BigInt, `NaN`, `±Infinity`, `-0`, RegExp,
 * URL, typed arrays, DataView, ArrayBuffer, references to actors, and errors (name, message, code, cause, data, stack, and details where they can be stored; a subclass comes back as
 * the Error or built-in error of the same name). `root` is the name of the value in error messages.
 *
 * Gotchas: the result shares its plain parts with the value. A Buffer comes back as a Uint8Array, an object without prototype as a plain one; keys that are
 * symbols, properties that are not enumerable, and extra properties of arrays are not kept.
 *
 * Errors: `NotStorableError`, and no other, for functions, symbols, cycles, instances of classes and more than 200 levels of nesting; the message and
 * `details.path` name the place, as in `context.items[3].onDone`.
 */
export function toStored(value: unknown, root = "value"): unknown {
  try {
    return encode(value, 0, undefined);
  } catch {
    return refuse(value, root);
  }
}

/**
 * Decodes what {@link toStored} encoded, before or after it went through JSON.
 *
 * Details: keys such as `__proto__` and `constructor` become own properties of the decoded object and never touch a prototype.
 *
 * Errors: `CorruptRecordError` for an unknown tag, a tag with a content that does not fit it, and more than 200 levels of nesting.
 */
export function fromStored(stored: unknown): unknown {
  return decode(stored, 0);
}

/** Why a value is refused. */
class Refusal {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** The way from the root to the value being encoded; only kept in the second walk, which finds the place of a refusal. */
type Trail = Array<{ readonly container: object; readonly key: string | number }>;

function refuse(value: unknown, root: string): unknown {
  const trail: Trail = [];
  try {
    // Only a value that changes while it is read gets through the second walk.
    return encode(value, 0, trail);
  } catch (thrown) {
    const path = trail.reduce((text, { container, key }) => text + step(container, key), root);
    const reason = thrown instanceof Refusal ? thrown.reason : `reading it failed: ${describe(thrown)}`;
    throw new NotStorableError(`Cannot store ${path}: ${reason}. Keep plain data there, such as an id to find it by.`, {
      details: { path },
      ...(thrown instanceof Refusal ? {} : { cause: thrown }),
    });
  }
}

function step(container: object, key: string | number): string {
  if (container instanceof Map) return `.entries()[${key}]`;
  if (container instanceof Set) return `.values()[${key}]`;
  if (typeof key === "number") return `[${key}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function describe(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown);
  } catch {
    return "something was thrown that has no text";
  }
}

function encode(value: unknown, depth: number, trail: Trail | undefined): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (value === 0) return 1 / value > 0 ? value : tagged("number", "-0");
      return Number.isFinite(value) ? value : tagged("number", String(value));
    case "undefined":
      return { [tag]: "undefined" };
    case "bigint":
      return tagged("bigint", String(value));
    case "object":
      return value === null ? null : encodeObject(value, depth, trail);
    default:
      throw new Refusal(`it is a ${typeof value}`);
  }
}

function tagged(kind: string, content: unknown): object {
  return { [tag]: kind, v: content };
}

function encodeObject(value: object, depth: number, trail: Trail | undefined): unknown {
  if (depth >= maxDepth) throw new Refusal(tooDeep(value, trail));
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) return encodeFields(value as Record<string, unknown>, depth, trail);
  if (prototype === Array.prototype) return encodeItems(value as unknown[], depth, trail);
  if (prototype === null || isObjectPrototype(prototype)) {
    return encodeFields(value as Record<string, unknown>, depth, trail);
  }
  return encodeInstance(value, prototype, depth, trail);
}

/** True for the `Object.prototype` of another realm. */
function isObjectPrototype(prototype: object): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf");
}

function tooDeep(value: object, trail: Trail | undefined): string {
  const ancestors = new Set<object>();
  for (const { container } of trail ?? []) {
    if (ancestors.has(container)) return "it refers back to an object that holds it (a cycle)";
    ancestors.add(container);
  }
  return ancestors.has(value)
    ? "it refers back to an object that holds it (a cycle)"
    : `it is nested in more than ${maxDepth} levels`;
}

function encodeFields(value: Record<string, unknown>, depth: number, trail: Trail | undefined): object {
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(value)) {
    trail?.push({ container: value, key });
    const field = value[key];
    const encoded = typeof field === "string" || field === null ? field : encode(field, depth + 1, trail);
    trail?.pop();
    if (encoded !== field) {
      copy ??= { ...value };
      setOwn(copy, key, encoded);
    }
  }
  return Object.hasOwn(value, tag) ? tagged("object", copy ?? value) : (copy ?? value);
}

function encodeItems(value: unknown[], depth: number, trail: Trail | undefined): unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < value.length; index++) {
    trail?.push({ container: value, key: index });
    const item = value[index];
    const encoded = typeof item === "string" || item === null ? item : encode(item, depth + 1, trail);
    trail?.pop();
    if (encoded !== item) {
      copy ??= value.slice();
      copy[index] = encoded;
    }
  }
  return copy ?? value;
}

/** Encodes the items of a map or set, always into a new array. */
function encodeEach(container: object, items: Iterable<unknown>, depth: number, trail: Trail | undefined): unknown[] {
  const encoded: unknown[] = [];
  for (const item of items) {
    trail?.push({ container, key: encoded.length });
    encoded.push(encode(item, depth + 1, trail));
    trail?.pop();
  }
  return encoded;
}

function encodeInstance(value: object, prototype: object, depth: number, trail: Trail | undefined): unknown {
  if (value instanceof Error) return encodeError(value, depth, trail);
  const target = targetOf(value);
  if (target !== undefined) return tagged("actor", toStoredReference(target));
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (ArrayBuffer.isView(value) && isBinary(kind)) {
    return tagged("bytes", [kind, toBase64(value.buffer, value.byteOffset, value.byteLength)]);
  }
  // A direct instance of a built-in class, of this realm or another: a subclass has one prototype more.
  const parent: object | null = Object.getPrototypeOf(prototype);
  const isBuiltIn = parent !== null && Object.getPrototypeOf(parent) === null;
  if (isBuiltIn) {
    switch (kind) {
      case "Array":
        return encodeItems(value as unknown[], depth, trail);
      case "Date": {
        const time = Date.prototype.getTime.call(value);
        return tagged("date", Number.isNaN(time) ? null : new Date(time).toISOString());
      }
      case "Map":
        return tagged("map", encodeEach(value, Map.prototype.entries.call(value), depth, trail));
      case "Set":
        return tagged("set", encodeEach(value, Set.prototype.values.call(value), depth, trail));
      case "RegExp":
        return tagged("regexp", [(value as RegExp).source, (value as RegExp).flags]);
      case "URL":
        return tagged("url", (value as URL).href);
      case "ArrayBuffer":
        return tagged("bytes", [kind, toBase64(value as ArrayBuffer, 0, (value as ArrayBuffer).byteLength)]);
    }
  }
  const name: unknown = (prototype.constructor as { name?: unknown } | undefined)?.name;
  throw new Refusal(`it is an instance of ${typeof name === "string" && name !== "" ? name : "a class"}`);
}

function encodeError(error: Error, depth: number, trail: Trail | undefined): object {
  const fields: Record<string, unknown> = { name: String(error.name), message: String(error.message) };
  if (typeof error.stack === "string") fields.stack = error.stack;
  for (const key of ["code", "cause", "data"] as const) {
    if (!Object.hasOwn(error, key)) continue;
    trail?.push({ container: error, key });
    fields[key] = encode((error as unknown as Record<string, unknown>)[key], depth + 1, trail);
    trail?.pop();
  }
  // As errors of Statewright have them, also after they were stored once.
  const { details } = error as { details?: unknown };
  if (Object.hasOwn(error, "details") && typeof details === "object" && details !== null) {
    try {
      if (Object.keys(details).length > 0) fields.details = encode(details, depth + 1, undefined);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      // The message says what they say: an error is not lost for the sake of its details.
    }
  }
  return tagged("error", fields);
}

function toBase64(buffer: ArrayBufferLike, offset: number, sizeBytes: number): string {
  return Buffer.from(buffer as ArrayBuffer, offset, sizeBytes).toString("base64");
}

function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  } else object[key] = value;
}

function decode(stored: unknown, depth: number): unknown {
  if (typeof stored !== "object" || stored === null) return stored;
  if (depth >= maxDepth)
    throw new CorruptRecordError(`Cannot decode a stored value: it has more than ${maxDepth} levels.`);
  if (Array.isArray(stored)) return decodeItems(stored, depth);
  if (Object.hasOwn(stored, tag)) return decodeTagged(stored as Record<string, unknown>, depth);
  return decodeFields(stored as Record<string, unknown>, depth);
}

function decodeFields(stored: Record<string, unknown>, depth: number): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(stored)) {
    const field = stored[key];
    if (typeof field !== "object" || field === null) continue;
    const decoded = decode(field, depth + 1);
    if (decoded !== field) {
      copy ??= { ...stored };
      setOwn(copy, key, decoded);
    }
  }
  return copy ?? stored;
}

function decodeItems(stored: unknown[], depth: number): unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < stored.length; index++) {
    const item = stored[index];
    if (typeof item !== "object" || item === null) continue;
    const decoded = decode(item, depth + 1);
    if (decoded !== item) {
      copy ??= stored.slice();
      copy[index] = decoded;
    }
  }
  return copy ?? stored;
}

function decodeTagged(stored: Record<string, unknown>, depth: number): unknown {
  const kind = stored[tag];
  const content = Object.hasOwn(stored, "v") ? stored.v : undefined;
  switch (kind) {
    case "undefined":
      return undefined;
    case "object":
      if (isFields(content)) return decodeFields(content, depth);
      break;
    case "number":
      if (content === "-0" || content === "NaN" || content === "Infinity" || content === "-Infinity")
        return Number(content);
      break;
    case "bigint":
      if (typeof content === "string" && /^-?\d+$/.test(content)) return BigInt(content);
      break;
    case "date":
      if (content === null) return new Date(Number.NaN);
      if (typeof content === "string" && !Number.isNaN(Date.parse(content))) return new Date(content);
      break;
    case "map":
      if (Array.isArray(content) && content.every((entry) => Array.isArray(entry) && entry.length === 2)) {
        return new Map(content.map((entry) => decode(entry, depth + 1) as [unknown, unknown]));
      }
      break;
    case "set":
      if (Array.isArray(content)) return new Set(content.map((item) => decode(item, depth + 1)));
      break;
    case "regexp":
    case "url":
    case "bytes": {
      const decoded = decodeText(kind, content);
      if (decoded !== undefined) return decoded;
      break;
    }
    case "actor": {
      const reference = fromStoredReference(content);
      if (reference !== undefined) return reference;
      break;
    }
    case "error":
      if (isFields(content) && typeof content.name === "string" && typeof content.message === "string") {
        return decodeError(content, depth);
      }
      break;
    default:
      throw new CorruptRecordError(
        `Cannot decode a stored value: it has the tag ${shorten(kind)}, which this version does not know.`,
        { details: { tag: kind } },
      );
  }
  throw new CorruptRecordError(
    `Cannot decode a stored value: the tag "${kind}" does not fit its content ${shorten(content)}.`,
    {
      details: { tag: kind },
    },
  );
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shorten(value: unknown): string {
  const text = String(JSON.stringify(value));
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function decodeText(
  kind: "regexp" | "url" | "bytes",
  content: unknown,
): RegExp | URL | ArrayBuffer | ArrayBufferView | undefined {
  if (kind === "url") return typeof content === "string" && URL.canParse(content) ? new URL(content) : undefined;
  if (!Array.isArray(content) || content.length !== 2) return undefined;
  const [first, second]: unknown[] = content;
  if (typeof first !== "string" || typeof second !== "string") return undefined;
  try {
    if (kind === "regexp") return new RegExp(first, second);
    const bytes = Uint8Array.from(Buffer.from(second, "base64"));
    if (Buffer.from(bytes.buffer).toString("base64") !== second) return undefined;
    if (first === "ArrayBuffer") return bytes.buffer;
    if (!isBinary(first)) return undefined;
    const BinaryClass: new (buffer: ArrayBuffer) => ArrayBufferView = binaryClasses[first];
    return new BinaryClass(bytes.buffer);
  } catch {
    // Not a regular expression, or a number of bytes that is not a whole number of elements.
    return undefined;
  }
}

const binaryClasses = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
};

function isBinary(kind: string): kind is keyof typeof binaryClasses {
  return Object.hasOwn(binaryClasses, kind);
}

const errorClasses = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

function decodeError(content: Record<string, unknown>, depth: number): Error {
  const name = content.name as string;
  const message = content.message as string;
  const errorClass = Object.hasOwn(errorClasses, name) ? errorClasses[name as keyof typeof errorClasses] : Error;
  const error = new errorClass(message);
  const define = (key: string, value: unknown, enumerable: boolean) =>
    Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true });
  if (error.name !== name) define("name", name, false);
  define("stack", typeof content.stack === "string" ? content.stack : `${name}: ${message}`, false);
  for (const key of ["code", "cause", "data", "details"]) {
    if (Object.hasOwn(content, key)) define(key, decode(content[key], depth + 1), key !== "cause");
  }
  return error;
}
