/** JetStream, on a server of its own, keeps the contract. */
import { openJetStreamLog } from "../../runtime/jetstream/jetstream-log.ts";
import { startEmbeddedServer } from "../../runtime/server/embedded-server.ts";
import { contractSpace, logContract } from "./log-contract.ts";

logContract("JetStream", async () => {
  const server = await startEmbeddedServer();
  const opened: { close(): Promise<void> }[] = [];
  return {
    connect: async () => {
      const connection = await openJetStreamLog({ servers: server.url, ...contractSpace });
      opened.push(connection);
      return connection;
    },
    dispose: async () => {
      await Promise.all(opened.map((connection) => connection.close()));
      await server.stop();
    },
  };
});
