/** Runs a benchmark so that what it starts is ended, even if it fails or a signal stops it. */

/** @param run leaves what it starts to `stack`, and returns whether nothing was lost */
export async function stoppable(
  run: (stack: AsyncDisposableStack) => Promise<boolean>,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const stopped = Promise.withResolvers<never>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stopped.reject(new Error(`stopped by ${signal}`)));
  }
  try {
    const good = await Promise.race([run(stack), stopped.promise]);
    if (!good) Deno.exitCode = 1;
  } catch (error) {
    // Not left to the runtime: what was started has to be ended.
    // deno-lint-ignore no-console -- the error is printed
    console.error(error);
    Deno.exitCode = 1;
  }
}
