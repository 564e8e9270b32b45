import { expect, test } from "vitest";
import { createTestSystem } from "../../actors/test-system.ts";
import { agent } from "../../examples/agent-loop/main.ts";

test("a talk goes on through a crash, with each tool used once", async () => {
  const system = await createTestSystem({ actors: [agent] });
  const { client, run, nodes, time } = system;
  nodes[0]?.crashAt("commit.after", 3);
  const talk = await run(agent.start(client, { text: "How is the weather in Lyon" }, { key: "a" }));
  await time.runUntil(() => nodes[0]?.isCrashed === true);
  await system.startNode();
  await run(client.waitFor(talk.ref, { value: "listening" }));
  await run(talk.signal({ type: "SAY", text: "thank you" }));
  await run(client.waitFor(talk.ref, ({ value, context }) => value === "listening" && context.messages.length === 5));
  expect(await run(talk.query("transcript"))).toEqual([
    "user: How is the weather in Lyon",
    "tool: sunny in Lyon",
    "assistant: It is sunny in Lyon.",
    "user: thank you",
    "assistant: You said: thank you",
  ]);
  await system.advance(90_000_000); // nobody says anything for a day
  expect((await run(talk.result())).messages).toHaveLength(5);
  await system.stop();
});

test("one that does not come to an answer is lost, and one that is stopped listens", async () => {
  const system = await createTestSystem({ actors: [agent] });
  const { client, run } = system;
  const lost = await run(agent.start(client, { text: "go on forever" }, { key: "b" }));
  await expect(run(lost.result())).rejects.toMatchObject({ cause: { message: "it did not come to an answer" } });
  const stopped = await run(agent.start(client, { text: "How is the weather in Oslo" }, { key: "c" }));
  await run(stopped.signal({ type: "STOP" }));
  await system.advance(60_000);
  expect(await run(stopped.query("transcript"))).toEqual(["user: How is the weather in Oslo"]);
  await run(stopped.signal({ type: "GOODBYE" }));
  expect((await run(stopped.result())).messages).toHaveLength(1);
  await system.stop();
});
