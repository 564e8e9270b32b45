/** The invariants as properties, second half: see schedules.ts. */
import { checkHalf } from "./schedules.ts";

checkHalf(2);
