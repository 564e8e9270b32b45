/** JetStream, on a server of its own, keeps the contract. */
import { connect } from "@nats-io/transport-node";
import { openJetStreamLog } from "../../runtime/jetstream/jetstream-log.ts";
import { startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { contractSpace, logContract } from "./log-contract.ts";

logContract("JetStream", async () => {
  const server = await startEmbeddedServer();
  const opened: { close(): Promise<unknown> }[] = [];
  const other = await connect({ servers: server.url });
  opened.push(other);
  return {
    connect: async () => {
      const connection = await openJetStreamLog({ servers: server.url, ...contractSpace });
      opened.push(connection);
      return connection;
    },
    headersOf: async (subject) => {
      const message = await other.request(`$JS.API.DIRECT.GET.SW_CONTRACT_CORE.${subject}`, "");
      const own = [...(message.headers ?? [])].filter(([name]) => !name.startsWith("Nats-"));
      return Object.fromEntries(own.map(([name, [value = ""]]) => [name, value]));
    },
    dispose: async () => {
      await Promise.all(opened.map((connection) => connection.close()));
      await server.stop();
    },
  };
});
