/**
 * The payments service: `payments.ts <servers> <space> <ledger file>`. It works on the activities of its contract, and knows nothing of orders.
 *
 * Any number of these processes may run side by side, and each may be killed at any instant.
 */
import { implementActivity, startNode } from "../../index.ts";
import { chargeCard, refundPayment } from "./contracts.ts";
import { Ledger } from "./ledger.ts";
import { untilTold } from "./until-told.ts";

const [servers, space, file] = process.argv.slice(2) as [string, string, string];
const ledger = new Ledger(file);

const charge = implementActivity(chargeCard, ({ input, idempotencyKey }) => ledger.charge(idempotencyKey, input));
const refund = implementActivity(refundPayment, ({ input, idempotencyKey }) =>
  ledger.refund(idempotencyKey, input.payment),
);

const node = await startNode({ servers, space, actors: [], activities: [charge, refund] });
console.log("payments: ready");
await untilTold(node);
ledger.close();
