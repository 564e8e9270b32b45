/** An agent that talks: a model decides what to do next, tools do it, and everything it has said and done is in the log. */
import { pathToFileURL } from "node:url";
import { assign, setup } from "xstate";
import { z } from "zod";
import { connect, defineActivity, defineWorkflow, fail, startEmbeddedServer, startNode } from "../../index.ts";

interface Message {
  readonly role: "user" | "assistant" | "tool";
  readonly text: string;
}

const decision = z.union([z.object({ say: z.string() }), z.object({ tool: z.string(), input: z.string() })]);

/** Asks the model. A real one would be called here, with the signal; this one reads from a script. */
export const think = defineActivity("think", {
  input: z.object({ messages: z.array(z.object({ role: z.string(), text: z.string() })) }),
  output: decision,
  retry: { base: 50, maxAttempts: 4 },
  attemptTimeout: "30 seconds",
  run: ({ input, attempt }): z.infer<typeof decision> => {
    const last = input.messages.at(-1);
    if (attempt === 1 && input.messages.length === 1) throw new Error("the model is overloaded");
    if (input.messages[0]?.text.includes("forever")) return { tool: "weather", input: "nowhere" };
    if (last?.role === "tool") return { say: `It is ${last.text}.` };
    if (last?.text.includes("weather")) return { tool: "weather", input: last.text.split(" ").at(-1) ?? "" };
    return { say: `You said: ${last?.text}` };
  },
});

const tools: Readonly<Record<string, (input: string) => string>> = { weather: (place) => `sunny in ${place}` };

/** Runs a tool. At least once, with a key: a tool that changes something hands it on. */
export const useTool = defineActivity("use-tool", {
  input: z.object({ tool: z.string(), input: z.string() }),
  retry: { base: 50, maxAttempts: 3 },
  run: ({ input }) => tools[input.tool]?.(input.input) ?? `no tool "${input.tool}"`,
});

interface Talk {
  readonly messages: readonly Message[];
  readonly call: { readonly tool: string; readonly input: string } | undefined;
  readonly turns: number;
}

const heard = (role: Message["role"], text: string, { messages }: Talk) => [...messages, { role, text }];
const maxTurns = 5;

/** A conversation, under its id. */
export const agent = defineWorkflow("agent", {
  machine: setup({
    types: {
      context: {} as Talk,
      input: {} as { readonly text: string },
      output: {} as { readonly messages: readonly Message[] },
      events: {} as { type: "SAY"; text: string } | { type: "STOP" } | { type: "GOODBYE" },
    },
    actors: { think, useTool },
    delays: { idle: 86_400_000 },
  }).createMachine({
    context: ({ input }) => ({ messages: [{ role: "user", text: input.text }], call: undefined, turns: 0 }),
    initial: "thinking",
    // A person may stop it at any time: what is under way is cancelled, and its result is not taken.
    on: { STOP: ".listening", GOODBYE: ".over" },
    states: {
      thinking: {
        entry: assign({ turns: ({ context }) => context.turns + 1 }),
        always: { guard: ({ context }) => context.turns > maxTurns, target: "lost" },
        invoke: {
          src: "think",
          input: ({ context }) => ({ messages: [...context.messages] }),
          onDone: [
            {
              guard: ({ event }) => "tool" in event.output,
              target: "acting",
              actions: assign(({ event }) => ({ call: "tool" in event.output ? event.output : undefined })),
            },
            {
              target: "listening",
              actions: assign({
                messages: ({ context, event }) =>
                  heard("assistant", "say" in event.output ? event.output.say : "", context),
              }),
            },
          ],
          onError: "lost",
        },
      },
      acting: {
        invoke: {
          src: "useTool",
          input: ({ context }) => context.call ?? { tool: "", input: "" },
          onDone: {
            target: "thinking",
            actions: assign({ messages: ({ context, event }) => heard("tool", event.output, context) }),
          },
          onError: "lost",
        },
      },
      listening: {
        after: { idle: "over" },
        on: {
          SAY: {
            target: "thinking",
            actions: assign({ turns: 0, messages: ({ context, event }) => heard("user", event.text, context) }),
          },
        },
      },
      over: { type: "final" },
      lost: { type: "final" },
    },
    output: ({ context }) =>
      context.turns > maxTurns ? fail(new Error("it did not come to an answer")) : { messages: context.messages },
  }),
  queries: { transcript: (view) => view.context.messages.map(({ role, text }) => `${role}: ${text}`) },
});

async function main(): Promise<void> {
  const server = await startEmbeddedServer();
  const node = await startNode({ servers: server.url, actors: [agent] });
  const client = await connect({ servers: server.url, actors: [agent] });

  const run = await agent.start(client, { text: "How is the weather in Lyon" }, { key: "ada-1" });
  await client.waitFor(run.ref, { value: "listening" });
  await run.signal({ type: "SAY", text: "thank you" });
  await client.waitFor(run.ref, ({ value, context }) => value === "listening" && context.messages.length > 4);
  await run.signal({ type: "GOODBYE" });
  await run.result();
  for (const line of await run.query("transcript")) console.log(line);

  await client.close();
  await node.stop();
  await server.stop();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();
