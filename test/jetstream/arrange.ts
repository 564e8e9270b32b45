/** What the tests of the JetStream adapter share: bytes, and a look at the server behind the adapter's back. */
import { connect } from "@nats-io/transport-node";

export const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
export const text = (data: Uint8Array): string => new TextDecoder().decode(data);

/** Sizes that leave room for many spaces on one server. */
export const small = { maxCoreBytes: 64 * 1024 * 1024, maxIngressBytes: 64 * 1024 * 1024 };

/** Takes everything out of an async iterable. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Calls the JetStream API as an operator would; `change` receives the stream's present configuration. */
export async function api(
  servers: string,
  subject: string,
  change?: (config: Record<string, unknown>) => unknown,
): Promise<any> {
  const nats = await connect({ servers });
  try {
    let body: unknown = "";
    if (change !== undefined) {
      const name = subject.split(".").pop();
      const info = await nats.request(`$JS.API.STREAM.INFO.${name}`, "");
      body = change(info.json<{ config?: Record<string, unknown> }>().config ?? {});
    }
    const answer = await nats.request(`$JS.API.${subject}`, body === "" ? "" : JSON.stringify(body), { timeout: 5000 });
    const value = answer.json<{ error?: { description: string } }>();
    if (value.error !== undefined) throw new Error(`${subject}: ${value.error.description}`);
    return value;
  } finally {
    await nats.close();
  }
}
