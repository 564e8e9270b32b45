/** Matching of subjects against NATS filters: `*` stands for one token, `>` at the end for one or more. */

/** Takes a subject or filter apart. */
export function splitSubject(subject: string): readonly string[] {
  return subject.split(".");
}

/** True when a filter matches one subject only: itself. */
export function isLiteral(filter: string): boolean {
  return !/(^|\.)[*>](\.|$)/.test(filter);
}

/** True when the filter matches the subject; both are taken apart. */
export function matchesFilter(filter: readonly string[], subject: readonly string[]): boolean {
  const length = filter.length;
  for (let i = 0; i < length; i++) {
    const token = filter[i];
    if (token === ">" && i === length - 1) return subject.length >= length;
    if (i >= subject.length || (token !== "*" && token !== subject[i])) return false;
  }
  return subject.length === length;
}

interface Node<T> {
  readonly children: Map<string, Node<T>>;
  readonly values: T[];
}

const makeNode = <T>(): Node<T> => ({ children: new Map(), values: [] });

/** Values kept under filters, found by the subjects that the filters match. */
export class SubjectIndex<T> {
  readonly #root = makeNode<T>();

  add(filter: string, value: T): void {
    let node = this.#root;
    for (const token of splitSubject(filter)) {
      let child = node.children.get(token);
      if (child === undefined) {
        child = makeNode();
        node.children.set(token, child);
      }
      node = child;
    }
    node.values.push(value);
  }

  remove(filter: string, value: T): void {
    this.#remove(this.#root, splitSubject(filter), 0, value);
  }

  /** Calls `visit` for every value whose filter matches. */
  match(subject: readonly string[], visit: (value: T) => void): void {
    this.#match(this.#root, subject, 0, visit);
  }

  #remove(node: Node<T>, filter: readonly string[], depth: number, value: T): void {
    if (depth === filter.length) {
      const at = node.values.indexOf(value);
      if (at >= 0) node.values.splice(at, 1);
      return;
    }
    const token = filter[depth] as string;
    const child = node.children.get(token);
    if (child === undefined) return;
    this.#remove(child, filter, depth + 1, value);
    if (child.values.length === 0 && child.children.size === 0) node.children.delete(token);
  }

  #match(node: Node<T>, subject: readonly string[], depth: number, visit: (value: T) => void): void {
    if (depth === subject.length) {
      for (const value of node.values) visit(value);
      return;
    }
    const rest = node.children.get(">");
    if (rest !== undefined) for (const value of rest.values) visit(value);
    const any = node.children.get("*");
    if (any !== undefined) this.#match(any, subject, depth + 1, visit);
    const exact = node.children.get(subject[depth] as string);
    if (exact !== undefined) this.#match(exact, subject, depth + 1, visit);
  }
}
