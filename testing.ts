/** For tests of users' actors: a whole system in one process, under virtual time, with crashes and faults on demand. */
export { createTestSystem, type TestNode, type TestSystem, type TestSystemOptions } from "./actors/test-system.ts";
export { type FaultPoint, faultPoints } from "./runtime/engine/faults.ts";
export { createMemoryBroker, type MemoryBroker } from "./runtime/memory/memory-broker.ts";
export { VirtualTime } from "./runtime/memory/virtual-time.ts";
