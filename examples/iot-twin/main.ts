/** Device twins: what each device should be, what it says it is, and whether it is heard at all. */
import { pathToFileURL } from "node:url";
import { assign, emit, setup } from "xstate";
import { z } from "zod";
import { connect, defineActor, reply, startEmbeddedServer, startNode } from "../../index.ts";

/** A device that is silent for so long is offline; short, so that the program ends soon. */
export const patienceMs = 400;

interface Twin {
  readonly desired: { readonly degrees: number };
  readonly reported: { readonly degrees: number } | undefined;
  readonly reports: number;
}

const degrees = z.object({ degrees: z.number().min(5).max(30) });

/** One twin for each device, under its serial number. */
export const thermostat = defineActor("thermostat", {
  machine: setup({
    types: {
      context: {} as Twin,
      events: {} as { type: "REPORT"; degrees: number } | { type: "WANT"; degrees: number } | { type: "SYNC" },
      emitted: {} as { type: "OFFLINE" } | { type: "ONLINE" } | { type: "SETTLED"; degrees: number },
    },
    delays: { patience: patienceMs },
    guards: {
      isSettled: ({ context, event }) => event.type === "REPORT" && event.degrees === context.desired.degrees,
    },
    actions: {
      note: assign(({ context, event }) =>
        event.type === "REPORT" ? { reported: { degrees: event.degrees }, reports: context.reports + 1 } : {},
      ),
      want: assign(({ event }) => (event.type === "WANT" ? { desired: { degrees: event.degrees } } : {})),
      // What the device asks for when it is back: all that was wanted meanwhile, in one answer.
      tellDesired: reply(({ context }) => context.desired),
    },
  }).createMachine({
    context: { desired: { degrees: 20 }, reported: undefined, reports: 0 },
    initial: "unknown",
    on: { WANT: { actions: ["want", "tellDesired"] }, SYNC: { actions: "tellDesired" } },
    states: {
      unknown: { on: { REPORT: { target: "online", actions: ["note", emit({ type: "ONLINE" })] } } },
      online: {
        // Each report begins the waiting anew; the timer is in the log, and outlives every process.
        after: { patience: { target: "offline", actions: emit({ type: "OFFLINE" }) } },
        on: {
          REPORT: [
            {
              guard: "isSettled",
              target: "online",
              reenter: true,
              actions: ["note", emit(({ event }) => ({ type: "SETTLED", degrees: event.degrees }))],
            },
            { target: "online", reenter: true, actions: "note" },
          ],
        },
      },
      offline: { on: { REPORT: { target: "online", actions: ["note", emit({ type: "ONLINE" })] } } },
    },
  }),
  events: { REPORT: degrees, WANT: degrees, SYNC: null },
});

async function main(): Promise<void> {
  const server = await startEmbeddedServer();
  const node = await startNode({ servers: server.url, actors: [thermostat] });
  const client = await connect({ servers: server.url, actors: [thermostat] });
  const twin = thermostat.ref("kitchen");
  const listening = client.on(twin, "*", (event) => console.log("  the twin says:", JSON.stringify(event)));
  await listening.ready;

  await client.send(twin, { type: "REPORT", degrees: 19 });
  await client.waitFor(twin, { value: "offline" });
  console.log("The device is away; meanwhile somebody wants 23 degrees.");
  await client.send(twin, { type: "WANT", degrees: 23 });
  const { reply: wanted } = await client.ask(twin, { type: "SYNC" });
  console.log("The device is back, and asks what is wanted:", wanted);
  await client.send(twin, { type: "REPORT", degrees: 19 });
  await client.ask(twin, { type: "REPORT", degrees: 23 });
  const view = await client.get(twin);
  console.log("Twin:", view?.value, JSON.stringify(view?.context));

  await new Promise((resolve) => setTimeout(resolve, 100));
  listening.unsubscribe();
  await client.close();
  await node.stop();
  await server.stop();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();
