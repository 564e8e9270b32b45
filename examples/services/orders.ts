/**
 * The orders service: `orders.ts <servers> <space> <port>`. An ordinary HTTP server that orchestrates the others by `connect()` alone: it runs no actors and no activities.
 *
 * `POST /orders` starts an order, once for each id, and answers 202; `GET /orders/<id>` says how it stands; `DELETE /orders/<id>` cancels it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { connect, isStatewrightError } from "../../index.ts";
import { order, orderInput } from "./saga.ts";

const [servers, space, port] = process.argv.slice(2) as [string, string, string];
const client = await connect({ servers, space, sender: "orders", actors: [order] });

const server = createServer((request, response) => {
  serve(request, response).catch((error: unknown) => {
    const status = isStatewrightError(error) ? (statuses[error._tag] ?? 503) : 500;
    send(response, status, { error: error instanceof Error ? error.message : String(error) });
  });
});
server.listen(Number(port), "127.0.0.1", () => {
  const address = server.address();
  console.log(`orders: http://127.0.0.1:${typeof address === "object" ? address?.port : port}`);
});
process.once("SIGTERM", () => {
  server.close(() => void client.close());
  server.closeAllConnections();
});

const statuses: Readonly<Record<string, number>> = {
  InvalidEventError: 400,
  InvalidNameError: 400,
  WorkflowNotFoundError: 404,
  WorkflowConflictError: 409,
};

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url = "" } = request;
  if (method === "POST" && url === "/orders") {
    const given = orderInput.safeParse(await json(request).catch(() => undefined));
    if (!given.success)
      return send(response, 400, { error: given.error.issues.map(({ message }) => message).join("; ") });
    // When this process dies now, and the caller asks again, it is the same order.
    const run = await order.start(client, given.data);
    return send(response, 202, { id: run.key, isNew: run.isNew });
  }
  const id = /^\/orders\/([^/]+)$/.exec(url)?.[1];
  if (id === undefined) return send(response, 404, { error: `There is no ${url}.` });
  const run = order.run(client, decodeURIComponent(id));
  if (method === "DELETE") return send(response, 200, await run.cancel({ reason: "The customer has cancelled it." }));
  const status = await run.status();
  const view = await run.view();
  send(response, 200, {
    id: run.key,
    status,
    ...(status === "completed" ? { output: view?.output } : {}),
    ...(view?.error instanceof Error ? { why: view.error.message } : {}),
  });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
