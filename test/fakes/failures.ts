/** Every way in which an attempt may fail, and of these every way in which sending may. */
import { type AttemptFailure, FAILURES } from "../../src/exports/failure.ts";

export const ATTEMPT_FAILURES = Object.keys(FAILURES)
  .filter((code): code is AttemptFailure => code !== "interrupted");

export const SEND_FAILURES = ATTEMPT_FAILURES
  .filter((code) => code !== "data_damaged");
