/** The memory broker, in real time, keeps the contract. */
import { createMemoryBroker } from "../../runtime/memory/memory-broker.ts";
import { contractSpace, logContract } from "./log-contract.ts";

logContract("The memory broker", async () => {
  const broker = createMemoryBroker({ historyDepth: contractSpace.historyDepth });
  return { connect: async () => broker.connect(), dispose: async () => {} };
});

logContract("The memory broker with latency", async () => {
  const broker = createMemoryBroker({ historyDepth: contractSpace.historyDepth, latency: { minMs: 0, maxMs: 3 } });
  return { connect: async () => broker.connect(), dispose: async () => {} };
});
