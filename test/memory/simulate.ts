/** A broker in virtual time, with what the tests of this folder do to it. */
import type { AppendRecord } from "../../runtime/log/log.ts";
import { createMemoryBroker, type MemoryBrokerOptions } from "../../runtime/memory/memory-broker.ts";
import { VirtualTime } from "../../runtime/memory/virtual-time.ts";
import { record } from "../contract/observe.ts";

/** Subject of an actor's state, where history is kept. */
export const state = (id: string): string => `sw.sim.core.0.state.t.${id}`;
/** Subject of one message. */
export const mail = (message: string): string => `sw.sim.core.0.mail.t.a.${message}`;
/** Filter for all messages. */
export const mails = "sw.sim.core.*.mail.>";
/** A message that holds its own name. */
export const letter = (message: string): AppendRecord => record(mail(message), message);

/** Makes a broker in virtual time, without faults unless told so. */
export function simulate(options: MemoryBrokerOptions & { readonly seed?: number } = {}) {
  const { seed = 1, ...rest } = options;
  const time = new VirtualTime({ seed });
  const broker = createMemoryBroker({ time, ...rest });
  /** Lets a call run to its end, its timeout included. */
  const ended = async <A>(call: Promise<A>): Promise<A> => {
    let isOver = false;
    const mark = () => {
      isOver = true;
    };
    call.then(mark, mark);
    await time.runUntil(() => isOver);
    return call;
  };
  /** Tells whether a call settles at all. */
  const settles = async (call: Promise<unknown>): Promise<boolean> => {
    let isOver = false;
    const mark = () => {
      isOver = true;
    };
    call.then(mark, mark);
    await time.advance(120_000);
    return isOver;
  };
  return { time, broker, ended, settles };
}
