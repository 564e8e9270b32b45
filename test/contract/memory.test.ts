/** The memory broker, in real time, keeps the contract. */
import { createMemoryBroker, type MemoryBrokerOptions } from "../../runtime/memory/memory-broker.ts";
import { type ContractBroker, contractSpace, logContract } from "./log-contract.ts";

function open(options: MemoryBrokerOptions): ContractBroker {
  const broker = createMemoryBroker({ historyDepth: contractSpace.historyDepth, ...options });
  return {
    connect: async () => broker.connect(),
    headersOf: async (subject) => broker.records("core", subject).at(-1)?.headers ?? {},
    dispose: async () => {},
  };
}

logContract("The memory broker", async () => open({}));

logContract("The memory broker with latency", async () => open({ latency: { minMs: 0, maxMs: 3 } }));
