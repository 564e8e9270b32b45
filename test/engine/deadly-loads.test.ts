/** States that end the process when they are loaded: what was to be handled there dies without the machine, and everything else goes on. */
import { afterEach, describe, expect, it } from "vitest";
import { defineActor } from "../../actors/define-actor.ts";
import { DeadlyWorld, machineWith, victim } from "./deadly-world.ts";

let world: DeadlyWorld | undefined;
afterEach(async () => {
  await world?.stop();
  world = undefined;
});

const add = (uid: string) => ({ type: "ADD" as const, uid });

/** A world in which two actors have applied a message, and whose next nodes migrate: for the one that has applied "bad" it ends them. */
async function startDeadly({ delay }: { readonly delay?: number } = {}): Promise<{
  readonly world: DeadlyWorld;
  readonly loads: () => number;
  repair(): void;
}> {
  let isMigrating = false;
  let isRepaired = false;
  let loads = 0;
  const started = await DeadlyWorld.start({
    partitions: 1,
    settings: { maxCrashes: 2 },
    define: (hook) =>
      isMigrating
        ? defineActor("victim", {
            machine: machineWith(hook, "2"),
            migrate: {
              "none->2": (state) => {
                const { log } = state.context as { readonly log: readonly string[] };
                if (log.includes("bad") && !isRepaired) {
                  loads++;
                  hook({ type: "ADD", uid: "migration", deadly: true });
                }
                return state;
              },
            },
          })
        : victim(hook),
  });
  world = started;
  await started.send("a", add("bad"));
  if (delay !== undefined) await started.send("a", { type: "SET", uid: "timer", delay });
  await started.send("b", add("good"));
  await started.advance(3000);
  isMigrating = true;
  await started.stopNode(started.alive[0] as never);
  await started.startNode();
  await started.advance(3000);
  return {
    world: started,
    loads: () => loads,
    repair: () => {
      isRepaired = true;
    },
  };
}

describe("a state that ends the process when it is loaded", () => {
  it("makes a dead letter of the message, without being loaded for that, and stays as it is", async () => {
    const { world, loads, repair } = await startDeadly();
    await world.send("a", add("1"));
    for (const uid of ["2", "3"]) await world.send("b", add(uid));
    await world.advance(60_000);

    expect(await world.letters()).toMatchObject([
      { reason: "crashed", to: { type: "victim", id: "a" }, attemptCount: 2 },
    ]);
    expect(await world.logOf("b")).toEqual(["good", "2", "3"]);
    // The first owner that ended was not suspected yet; whoever made the letter did not load the state.
    expect(world.deaths).toBe(3);
    expect(loads()).toBe(3);
    expect(await world.logOf("a")).toEqual(["bad"]);
    expect(world.trials).toEqual([]);

    repair();
    await world.send("a", add("4"));
    await world.advance(10_000);
    expect(await world.logOf("a")).toEqual(["bad", "4"]);
    expect(world.deaths).toBe(3);
  });

  it("makes a dead letter of its timer, which is not set any more", async () => {
    const { world, loads, repair } = await startDeadly({ delay: 20_000 });
    await world.advance(60_000);
    expect(await world.letters()).toMatchObject([
      { reason: "crashed", to: { type: "victim", id: "a" }, attemptCount: 2 },
    ]);
    expect(world.deaths).toBe(3);
    expect(loads()).toBe(3);
    expect(world.trials).toEqual([]);

    repair();
    await world.send("a", add("4"));
    await world.advance(60_000);
    expect(await world.logOf("a")).toEqual(["bad", "4"]);
    expect(world.deaths).toBe(3);
  });
});
