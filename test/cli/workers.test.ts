import { describe, expect, it } from "vitest";
import { isFinal, restartDelayMs, workerArguments } from "../../cli/commands/workers.ts";
import { readWatchdog, readWorkers } from "../../cli/option-values.ts";
import { InvalidOptionsError, LogUnavailableError, SpaceIdentityError } from "../../runtime/core/errors.ts";

describe("a worker", () => {
  it("gets the arguments of its parent, without --workers and with a name of its own", () => {
    const argv = ["run", "./a.ts", "--workers", "4", "--name", "shop", "--space", "s", "--name=x", "--workers=2"];
    expect(workerArguments(argv, "shop-1")).toEqual(["run", "--name", "shop-1", "./a.ts", "--space", "s"]);
  });

  it("gets what stands behind -- as it is", () => {
    expect(workerArguments(["run", "--workers", "2", "--", "--name", "b.ts"], "n-2")).toEqual([
      "run",
      "--name",
      "n-2",
      "--",
      "--name",
      "b.ts",
    ]);
  });

  it("is waited for longer each time it ends, up to half a minute, by chance", () => {
    const all = (random: number) => [1, 2, 3, 7, 50].map((failures) => restartDelayMs(failures, () => random));
    expect(all(1)).toEqual([500, 1000, 2000, 30_000, 30_000]);
    expect(all(0.5)).toEqual([250, 500, 1000, 15_000, 15_000]);
    expect(all(0)).toEqual([0, 0, 0, 0, 0]);
  });

  it("is not started again after what no restart can help", () => {
    const errors = [new Error("thrown by a module"), new InvalidOptionsError("x"), new SpaceIdentityError("x")];
    expect(errors.map(isFinal)).toEqual([true, true, true]);
    expect(isFinal(new LogUnavailableError("x"))).toBe(false);
  });
});

describe("the options", () => {
  it("take a number of workers or auto, and a duration or off", () => {
    expect(readWorkers("3")).toBe(3);
    expect(readWorkers("auto")).toBeGreaterThanOrEqual(1);
    expect(() => readWorkers("0")).toThrow('Use a whole number from 1, or "auto".');
    expect(readWatchdog("off")).toBe("off");
    expect(readWatchdog("2s")).toBe(2000);
    expect(() => readWatchdog("1ms")).toThrow("at least 50ms");
  });
});
