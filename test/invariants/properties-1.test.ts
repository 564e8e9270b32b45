/** The invariants as properties, first half: see schedules.ts; two files, so that two workers share the schedules. */
import { checkHalf } from "./schedules.ts";

checkHalf(1);
