/** All machines of this folder by name, each with its scripts. */
import type { Scenario } from "../scenarios/scenario.ts";
import { atm } from "./atm.ts";
import { auction } from "./auction.ts";
import { auditLog } from "./audit-log.ts";
import { calendar } from "./calendar.ts";
import { cart } from "./cart.ts";
import { chatRoom } from "./chat-room.ts";
import { circuitBreaker } from "./circuit-breaker.ts";
import { claim } from "./claim.ts";
import { courier } from "./courier.ts";
import { device } from "./device.ts";
import { documentReview } from "./document-review.ts";
import { elevator } from "./elevator.ts";
import { fleet } from "./fleet.ts";
import { hotelSaga } from "./hotel-saga.ts";
import { importJob } from "./import-job.ts";
import { kyc } from "./kyc.ts";
import { lease } from "./lease.ts";
import { loan } from "./loan.ts";
import { mailer } from "./mailer.ts";
import { match } from "./match.ts";
import { onboarding } from "./onboarding.ts";
import { order } from "./order.ts";
import { parcel } from "./parcel.ts";
import { player } from "./player.ts";
import { priceFeed } from "./price-feed.ts";
import { rollout } from "./rollout.ts";
import { scheduler } from "./scheduler.ts";
import { subscription } from "./subscription.ts";
import { thermostat } from "./thermostat.ts";
import { ticket } from "./ticket.ts";
import { trafficLight } from "./traffic-light.ts";
import { twoPhaseCommit } from "./two-phase-commit.ts";
import { upload } from "./upload.ts";
import { vending } from "./vending.ts";
import { wizard } from "./wizard.ts";

/** Scripts by the name of their machine. */
export const machines: Readonly<Record<string, readonly Scenario[]>> = {
  atm,
  auction,
  auditLog,
  calendar,
  cart,
  chatRoom,
  circuitBreaker,
  claim,
  courier,
  device,
  documentReview,
  elevator,
  fleet,
  hotelSaga,
  importJob,
  kyc,
  lease,
  loan,
  mailer,
  match,
  onboarding,
  order,
  parcel,
  player,
  priceFeed,
  rollout,
  scheduler,
  subscription,
  thermostat,
  ticket,
  trafficLight,
  twoPhaseCommit,
  upload,
  vending,
  wizard,
};
