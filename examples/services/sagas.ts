/** A node that runs the sagas: `sagas.ts <servers> <space>`. It decides what comes next, and does none of the work; start as many as you like. */
import { startNode } from "../../index.ts";
import { order } from "./saga.ts";
import { untilTold } from "./until-told.ts";

const [servers, space] = process.argv.slice(2) as [string, string];
const node = await startNode({ servers, space, actors: [order] });
console.log("sagas: ready");
await untilTold(node);
