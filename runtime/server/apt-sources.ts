/**
 * Reads the package sources a Debian machine is configured with, in both formats apt knows, and picks the ones that are
 * the Debian main archive. Nothing here writes or runs anything: the result is used to describe a private source.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** One place that packages come from: a mirror with the suites and components that are enabled on this machine. */
export interface AptSource {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Key file, fingerprint or inline key block (continuation lines kept), as the machine has it. */
  readonly signedBy?: string;
  /** The machine's own setting of `trusted`, for archives without a signature. */
  readonly trusted?: string;
}

/**
 * Parses apt's one-line format (`deb [options] uri suite component…`), as in `sources.list` and `*.list` files.
 * Comments, `deb-src` and lines that are not sources are left out.
 */
export function parseOneLineSources(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split("\n")) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)([^#]*)/.exec(line);
    if (match === null) continue;
    const options = parseOptions(match[1] ?? "");
    sources.push({
      uri: match[2] as string,
      suites: [match[3] as string],
      components: words(match[4] as string),
      ...optional("signedBy", options.get("signed-by")),
      ...optional("trusted", options.get("trusted")),
    });
  }
  return sources;
}

function parseOptions(text: string): Map<string, string> {
  const options = new Map<string, string>();
  for (const [, name, quoted, plain] of text.matchAll(/([\w-]+)\s*[+-]?=\s*(?:"([^"]*)"|(\S+))/g)) {
    options.set((name as string).toLowerCase(), quoted ?? (plain as string));
  }
  return options;
}

/**
 * Parses apt's deb822 format, as in `*.sources` files. A stanza with several URIs gives one source each. Disabled
 * stanzas and those without `Types: deb` are left out.
 */
export function parseDeb822Sources(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const fields of parseStanzas(text)) {
    if (!words(fields.get("types") ?? "").includes("deb")) continue;
    if (/^\s*(no|false|0|off|without|disable)\s*$/i.test(fields.get("enabled") ?? "yes")) continue;
    const signedBy = fields.get("signed-by");
    for (const uri of words(fields.get("uris") ?? "")) {
      sources.push({
        uri,
        suites: words(fields.get("suites") ?? ""),
        components: words(fields.get("components") ?? ""),
        ...optional("signedBy", signedBy),
        ...optional("trusted", fields.get("trusted")?.trim()),
      });
    }
  }
  return sources;
}

/** Splits deb822 text into stanzas; a comment line may stand anywhere, even between two fields or continuation lines. */
function parseStanzas(text: string): Map<string, string>[] {
  const stanzas: Map<string, string>[] = [];
  let fields = new Map<string, string>();
  let current: string | undefined;
  for (const line of `${text}\n\n`.split("\n")) {
    if (line.startsWith("#")) continue;
    if (line.trim() === "") {
      if (fields.size > 0) stanzas.push(fields);
      fields = new Map();
      current = undefined;
    } else if (/^\s/.test(line)) {
      if (current !== undefined) fields.set(current, `${fields.get(current)}\n${line.trimEnd()}`);
    } else {
      const colon = line.indexOf(":");
      if (colon < 0) continue;
      current = line.slice(0, colon).trim().toLowerCase();
      fields.set(current, line.slice(colon + 1).trim());
    }
  }
  return stanzas;
}

const debianSuites = new Set(
  "stable oldstable oldoldstable testing unstable sid buster bullseye bookworm trixie forky duke".split(" "),
);

/**
 * Picks the sources that are the Debian main archive, those signed with Debian's own keyring first.
 *
 * Left out: the security archive, other vendors' archives (even if they use Debian's suite names), media in a drive.
 */
export function mainArchives(sources: readonly AptSource[]): AptSource[] {
  const seen = new Set<string>();
  const archives = sources.filter((source) => {
    if (!isMainArchive(source) || seen.has(source.uri)) return false;
    seen.add(source.uri);
    return true;
  });
  return archives.sort((a, b) => Number(usesDebianKey(b)) - Number(usesDebianKey(a)));
}

function isMainArchive(source: AptSource): boolean {
  if (source.uri.startsWith("cdrom:") || source.uri.includes("debian-security")) return false;
  if (!source.components.includes("main")) return false;
  const isDebianSuite = source.suites.some((suite) => debianSuites.has(suite.replace(/-(updates|backports)$/, "")));
  const isDebianPath = /\/debian(\.list)?\/*$|\/debian\/\d{8}T\d{6}Z\/*$/.test(source.uri);
  return isDebianSuite && (isDebianPath || usesDebianKey(source));
}

function usesDebianKey(source: AptSource): boolean {
  return source.signedBy?.includes("debian-archive") ?? false;
}

/** Describes one suite of a source in deb822 format, as the only source of a private apt configuration. */
export function toPrivateSource(source: AptSource, suite: string, architecture: string): string {
  const lines = [
    "Types: deb",
    `URIs: ${source.uri}`,
    `Suites: ${suite}`,
    "Components: main",
    `Architectures: ${architecture}`,
    "Targets: Packages",
  ];
  if (source.signedBy !== undefined) lines.push(`Signed-By: ${source.signedBy}`);
  if (source.trusted !== undefined) lines.push(`Trusted: ${source.trusted}`);
  return `${lines.join("\n")}\n`;
}

/** Reads all package sources of this machine; files that are absent or not readable count as empty. */
export async function readAptSources(folder = "/etc/apt"): Promise<AptSource[]> {
  const parts = join(folder, "sources.list.d");
  const names = await readdir(parts).catch(() => []);
  const files = [join(folder, "sources.list"), ...names.sort().map((name) => join(parts, name))];
  const sources: AptSource[] = [];
  for (const file of files) {
    const parse = file.endsWith(".sources") ? parseDeb822Sources : file.endsWith(".list") ? parseOneLineSources : null;
    if (parse !== null) sources.push(...parse(await readFile(file, "utf8").catch(() => "")));
  }
  return sources;
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function optional<K extends string>(key: K, value: string | undefined): { [P in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: string });
}
