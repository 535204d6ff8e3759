/** Every way in which an attempt may fail. */
import { type AttemptFailure, FAILURES } from "../../src/exports/failure.ts";

export const ATTEMPT_FAILURES = Object.keys(FAILURES)
  .filter((code): code is AttemptFailure => code !== "interrupted");
