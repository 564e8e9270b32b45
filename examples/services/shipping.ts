/**
 * The carrier: `shipping.ts <port> <store file>`. A plain HTTP server that knows nothing of Statewright, and is not reliable.
 *
 * `POST /parcels { order, address }` books a parcel, `DELETE /parcels/<order>` cancels it, both under an `Idempotency-Key`; `GET /parcels` lists the orders
 * that have one. `SHIPPING_CHAOS` is the share of calls that go wrong, from 0 to 1: they get 500, no answer at all, or are done without an answer.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { type Answer, ParcelStore } from "./parcel-store.ts";

const [port, file] = process.argv.slice(2) as [string, string];
const chaos = Number(process.env.SHIPPING_CHAOS ?? 0);
const store = new ParcelStore(file);

const server = createServer((request, response) => {
  serve(request, response).catch((error: unknown) => send(response, { status: 500, body: { why: String(error) } }));
});
server.listen(Number(port), "127.0.0.1", () => {
  const address = server.address();
  console.log(`shipping: http://127.0.0.1:${typeof address === "object" ? address?.port : port}`);
});
process.once("SIGTERM", () => {
  server.close(() => store.close());
  server.closeAllConnections();
});

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === "GET" && request.url === "/parcels") {
    response.setHeader("content-type", "application/json").end(JSON.stringify(store.booked()));
    return;
  }
  const mishap =
    Math.random() < chaos ? (["fails", "hangs", "forgets to answer"] as const)[Math.floor(Math.random() * 3)] : "none";
  if (mishap === "fails") return send(response, { status: 500, body: { why: "the carrier has a bad day" } });
  if (mishap === "hangs") return;
  const answer = await answerTo(request);
  if (mishap === "none") send(response, answer);
  else request.socket.destroy();
}

async function answerTo(request: IncomingMessage): Promise<Answer> {
  const key = request.headers["idempotency-key"];
  if (typeof key !== "string") return refuse(400, "there is no Idempotency-Key");
  const cancelled = /^\/parcels\/([^/]+)$/.exec(request.url ?? "")?.[1];
  if (request.method === "DELETE" && cancelled !== undefined)
    return store.answerTo(key) ?? store.cancel(key, decodeURIComponent(cancelled));
  if (request.method !== "POST" || request.url !== "/parcels") return refuse(404, "there is no such thing");
  const { order, address } = (await json(request)) as { readonly order?: unknown; readonly address?: unknown };
  if (typeof order !== "string" || typeof address !== "string") return refuse(400, "order or address is missing");
  if (address.includes("Atlantis")) return refuse(422, `${address} is not served`);
  return store.answerTo(key) ?? store.book(key, order);
}

function refuse(status: number, why: string): Answer {
  return { status, body: { why } };
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
