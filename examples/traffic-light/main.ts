/** Hello world: a traffic light that lives in the log. Timers drive it, and pedestrians send it one event. */
import { pathToFileURL } from "node:url";
import { assign, setup } from "xstate";
import { connect, defineActor, startEmbeddedServer, startNode } from "../../index.ts";

/** How long each colour lasts, in milliseconds; short, so that the program ends soon. */
export const lasts = { red: 600, green: 800, yellow: 200 };

const machine = setup({
  types: { context: {} as { waiting: number; rounds: number }, events: {} as { type: "PUSH" } },
  delays: lasts,
}).createMachine({
  context: { waiting: 0, rounds: 0 },
  initial: "red",
  // A push of the button is noted in any state; while the light is green it makes it yellow at once.
  on: { PUSH: { actions: assign({ waiting: ({ context }) => context.waiting + 1 }) } },
  states: {
    red: { after: { red: { target: "green", actions: assign({ waiting: 0 }) } } },
    green: {
      after: { green: "yellow" },
      on: { PUSH: { target: "yellow", actions: assign({ waiting: ({ context }) => context.waiting + 1 }) } },
    },
    yellow: { after: { yellow: { target: "red", actions: assign({ rounds: ({ context }) => context.rounds + 1 }) } } },
  },
});

/** The light: one actor for each crossing. */
export const light = defineActor("light", { machine });

async function main(): Promise<void> {
  const server = await startEmbeddedServer();
  const node = await startNode({ servers: server.url, actors: [light] });
  const client = await connect({ servers: server.url, actors: [light] });
  const crossing = light.ref("main street");

  // The first event brings the light into being.
  await client.send(crossing, { type: "PUSH" });
  let hasPushed = false;
  let last: unknown;
  for await (const { value, context } of client.watch(crossing)) {
    if (value !== last) console.log(value, "waiting:", context.waiting, "rounds:", context.rounds);
    last = value;
    if (value === "green" && context.rounds === 1 && !hasPushed) {
      hasPushed = true;
      console.log("... somebody pushes the button");
      await client.send(crossing, { type: "PUSH" });
    }
    if (context.rounds === 2) break;
  }

  await client.close();
  await node.stop();
  await server.stop();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();
