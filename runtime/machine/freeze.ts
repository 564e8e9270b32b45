/** Keeps a state as it was made: a machine that changes its context in place fails at once, and the same way in development and production. */

/**
 * Freezes everything that can be reached through plain objects, arrays, maps and sets, and returns it.
 *
 * Details: what is frozen already is not walked again, so that after an assign only the changed parts cost time. Maps and sets get methods of their own that
 * refuse to change them; copies made with `new Map(frozen)` are free again.
 *
 * Gotchas: dates, typed arrays and errors cannot be frozen and stay changeable.
 */
export function freezeDeep<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) freezeObject(value);
  return value;
}

function freezeObject(value: object): void {
  if (Array.isArray(value)) {
    Object.freeze(value);
    for (const item of value) freezeDeep(item);
    return;
  }
  if (value instanceof Map) {
    for (const method of ["set", "delete", "clear"]) refuseMethod(value, method, "map");
    Object.freeze(value);
    for (const [key, item] of value) {
      freezeDeep(key);
      freezeDeep(item);
    }
    return;
  }
  if (value instanceof Set) {
    for (const method of ["add", "delete", "clear"]) refuseMethod(value, method, "set");
    Object.freeze(value);
    for (const item of value) freezeDeep(item);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return;
  Object.freeze(value);
  for (const key of Object.keys(value)) {
    const field = (value as Record<string, unknown>)[key];
    if (typeof field === "object" && field !== null && !Object.isFrozen(field)) freezeObject(field);
  }
}

function refuseMethod(value: object, method: string, what: string): void {
  Object.defineProperty(value, method, {
    value: () => {
      throw new TypeError(`Cannot ${method} on a ${what} in a machine's context: assign a changed copy instead.`);
    },
  });
}
