import { expect, test } from "vitest";
import { compareVersions, findVersion, isSupportedVersion } from "../../runtime/server/server-version.ts";

test.each([
  ["2.11.9", false],
  ["2.12.0", false],
  ["2.12.14", false],
  ["2.12.15-RC.1", false],
  ["2.12.15", true],
  ["2.12.16", true],
  ["2.13.0", false],
  ["2.13.99", false],
  ["2.14.4", false],
  ["2.14.5-RC.2", false],
  ["2.14.5", true],
  ["2.14.6-RC.1", true],
  ["2.15.0-RC.1", false],
  ["2.15.0-dev", false],
  ["2.15.0", true],
  ["2.15.1", true],
  ["v2.15.1", true],
  ["2.15.1+ds1", true],
  ["2.16.0", true],
  ["3.0.0", true],
  ["1.4.1", false],
  ["2.15", false],
  ["latest", false],
  ["", false],
])("accepts %s: %s", (version, expected) => {
  expect(isSupportedVersion(version)).toBe(expected);
});

test.each([
  ["nats-server: v2.15.1\n", "2.15.1"],
  ["nats-server: 2.14.5", "2.14.5"],
  ["nats-server: v2.15.0-RC.1", "2.15.0-RC.1"],
  ["nginx/1.2", undefined],
  ["", undefined],
])("reads the version out of %j", (text, expected) => {
  expect(findVersion(text)).toBe(expected);
});

test("orders versions by number, a pre-release before its release", () => {
  const versions = ["2.15.1", "2.9.10", "2.15.0", "2.15.0-RC.1", "junk", "2.12.15"];
  expect(versions.sort(compareVersions)).toEqual(["junk", "2.9.10", "2.12.15", "2.15.0-RC.1", "2.15.0", "2.15.1"]);
});
