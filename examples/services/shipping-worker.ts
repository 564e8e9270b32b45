/**
 * The shipping service: `shipping-worker.ts <servers> <space> <carrier>`. It has no data: it calls the carrier, which is at the address `carrier`.
 *
 * What the carrier says no to will not be another time; whatever else happens on the way is tried again, under the same key.
 */
import { implementActivity, startNode, TerminalError } from "../../index.ts";
import { bookParcel, cancelParcel } from "./contracts.ts";
import { untilTold } from "./until-told.ts";

const [servers, space, carrier] = process.argv.slice(2) as [string, string, string];

const book = implementActivity(bookParcel, async ({ input, idempotencyKey, signal }) => {
  const body = JSON.stringify(input);
  return (await call("/parcels", { method: "POST", body }, idempotencyKey, signal)) as { parcel: string };
});

const cancel = implementActivity(cancelParcel, async ({ input, idempotencyKey, signal }) => {
  const path = `/parcels/${encodeURIComponent(input.order)}`;
  return (await call(path, { method: "DELETE" }, idempotencyKey, signal)) as { isCancelled: boolean };
});

const node = await startNode({ servers, space, actors: [], activities: [book, cancel] });
console.log("shipping-worker: ready");
await untilTold(node);

async function call(path: string, request: RequestInit, key: string, signal: AbortSignal): Promise<unknown> {
  const headers = { "content-type": "application/json", "idempotency-key": key };
  const response = await fetch(new URL(path, carrier), { ...request, headers, signal });
  const body = (await response.json()) as { readonly why?: string };
  if (response.ok) return body;
  const said = `The carrier answers ${response.status}: ${body.why}.`;
  throw response.status < 500 ? new TerminalError(said) : new Error(said);
}
