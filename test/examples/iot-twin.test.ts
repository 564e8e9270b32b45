import { expect, test } from "vitest";
import { createTestSystem } from "../../actors/test-system.ts";
import { patienceMs, thermostat } from "../../examples/iot-twin/main.ts";

test("a device that falls silent is offline in time, also when the node of its twin has crashed", async () => {
  const system = await createTestSystem({ actors: [thermostat], nodes: 2 });
  const { client, run, nodes } = system;
  const twin = thermostat.ref("kitchen");
  for (let n = 0; n < 5; n++) {
    await run(client.send(twin, { type: "REPORT", degrees: 19 }));
    await system.advance(patienceMs / 2);
  }
  expect((await run(client.get(twin)))?.value).toBe("online");
  for (const node of nodes) node.crash();
  await system.startNode();
  await run(client.waitFor(twin, { value: "offline" }));
  await run(client.send(twin, { type: "WANT", degrees: 23 }));
  expect((await run(client.ask(twin, { type: "SYNC" }))).reply).toEqual({ degrees: 23 });
  await run(client.send(twin, { type: "REPORT", degrees: 19 }));
  await run(client.ask(twin, { type: "REPORT", degrees: 23 }));
  const said: string[] = [];
  const read = async () => {
    for await (const { event } of client.emitted(twin, "*", { from: "start" })) {
      said.push(event.type);
      if (event.type === "SETTLED") return;
    }
  };
  await run(read());
  expect(said).toEqual(["ONLINE", "OFFLINE", "ONLINE", "SETTLED"]);
  await expect(run(client.send(twin, { type: "WANT", degrees: 99 }))).rejects.toMatchObject({
    _tag: "InvalidEventError",
  });
  await system.stop();
});
