/** Expecting a violation of the protocol, by its code. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { ZmtpError, type ZmtpErrorCode } from "../../src/zmtp/zmtp_error.ts";

/** Runs `action`, which must fail with `code`. */
export async function assertViolates(
  code: ZmtpErrorCode,
  action: () => unknown,
): Promise<ZmtpError> {
  const error = await failureOf(action);
  assertInstanceOf(error, ZmtpError);
  if (!(error instanceof ZmtpError)) throw error;
  assertEquals(error.code, code);
  assert(error.message.length > 0);
  return error;
}

/** What `action` throws, or `undefined`. */
export async function failureOf(action: () => unknown): Promise<unknown> {
  try {
    await action();
  } catch (error) {
    return error;
  }
  return undefined;
}
