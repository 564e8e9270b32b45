import { expect, test } from "vitest";
import {
  mainArchives,
  parseDeb822Sources,
  parseOneLineSources,
  toPrivateSource,
} from "../../runtime/server/apt-sources.ts";

const deb822 = `# Installed by the image
Types: deb deb-src
# a comment between two fields
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg


Types: deb-src
URIs: http://sources.test/debian
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: http://disabled.test/debian
Suites: bookworm
Components: main

types: deb
uris: http://one.test/debian/
 http://two.test/debian/
suites: trixie
components: main
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBGPL0BUBEADmW5NdOOHwPIJlgPu6JDcKw/NZJPR8lsD3K87ZM18gzyQZJD+w
 -----END PGP PUBLIC KEY BLOCK-----
`;

const oneLine = `# deb http://commented.test/debian bookworm main
deb http://mirror.test/debian bookworm main non-free-firmware # trailing
deb-src http://mirror.test/debian bookworm main
  deb [ arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg trusted=yes ] https://signed.test/debian/ sid main
deb http://mirror.test/debian-security bookworm-security main
deb cdrom:[Debian GNU/Linux 12]/ bookworm main
deb [signed-by=/etc/apt/keyrings/vendor.gpg] https://vendor.test bookworm main
deb https://vendor.test/linux/debian bookworm stable
deb https://vendor.test/apt bookworm-vendor main
nonsense
`;

test("reads deb822 stanzas with comments, several addresses and inline keys", () => {
  const sources = parseDeb822Sources(deb822);
  expect(sources.map((source) => source.uri)).toEqual([
    "http://mirror.test/debian",
    "http://mirror.test/debian-security",
    "http://one.test/debian/",
    "http://two.test/debian/",
  ]);
  expect(sources[0]).toEqual({
    uri: "http://mirror.test/debian",
    suites: ["bookworm", "bookworm-updates"],
    components: ["main", "contrib"],
    signedBy: "/usr/share/keyrings/debian-archive-keyring.gpg",
  });
  expect(sources[3]?.signedBy).toMatch(/^\n -----BEGIN[\s\S]*\n \.\n mQIN[\s\S]*END PGP PUBLIC KEY BLOCK-----$/);
});

test("reads the one-line format with options and trailing comments", () => {
  const sources = parseOneLineSources(oneLine);
  expect(sources[0]).toEqual({
    uri: "http://mirror.test/debian",
    suites: ["bookworm"],
    components: ["main", "non-free-firmware"],
  });
  expect(sources[1]).toEqual({
    uri: "https://signed.test/debian/",
    suites: ["sid"],
    components: ["main"],
    signedBy: "/usr/share/keyrings/debian-archive-keyring.gpg",
    trusted: "yes",
  });
});

test("picks only the Debian main archive, those with Debian's own key first", () => {
  expect(mainArchives(parseOneLineSources(oneLine)).map((source) => source.uri)).toEqual([
    "https://signed.test/debian/",
    "http://mirror.test/debian",
  ]);
  expect(mainArchives(parseDeb822Sources(deb822)).map((source) => source.uri)).toEqual([
    "http://mirror.test/debian",
    "http://one.test/debian/",
    "http://two.test/debian/",
  ]);
});

test("accepts archives of a fixed date and mirror lists", () => {
  const uris = ["http://snapshot.test/archive/debian/20250520T000000Z/", "mirror+file:/etc/apt/mirrors/debian.list"];
  const sources = uris.map((uri) => ({ uri, suites: ["bookworm"], components: ["main"] }));
  expect(mainArchives(sources).map((source) => source.uri)).toEqual(uris);
});

test("describes a private source that reads back as the same mirror, key and one suite", () => {
  for (const source of mainArchives([...parseDeb822Sources(deb822), ...parseOneLineSources(oneLine)])) {
    const text = toPrivateSource(source, "forky", "amd64");
    expect(parseDeb822Sources(text)).toEqual([{ ...source, suites: ["forky"], components: ["main"] }]);
  }
});
