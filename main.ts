/** The service as a process: flags, settings and signals in, log and exit code out. */
import denoJson from "./deno.json" with { type: "json" };
import { systemClock as clock } from "./src/clock.ts";
import { describeConfig } from "./src/config.ts";
import { STOP_GRACE_MS, STOP_TIMEOUT_MS } from "./src/limits.ts";
import { jsonLog } from "./src/log.ts";
import { gatherLines } from "./src/machine/lines.ts";
import { runCommand } from "./src/machine/run_command.ts";
import { findSecretSource, secretWarnings } from "./src/machine/secret_source.ts";
import { parseFlags, readSettings, USAGE, warningsFor } from "./src/machine/settings.ts";
import { obtainTls, watchDates } from "./src/machine/tls.ts";
import { startService } from "./src/service/service.ts";

async function main(args: readonly string[], print: (line: string) => void): Promise<void> {
  const flags = parseFlags(args);
  if (flags.help) return print(USAGE);
  const lines = gatherLines(print, clock);
  // Written out however the process ends, except by SIGKILL.
  for (const end of ["unload", "error", "unhandledrejection"]) addEventListener(end, lines.flush);
  const log = jsonLog(lines.write, () => clock.now());
  const config = readSettings(flags);
  log({ event: "service.starting", version: denoJson.version, settings: describeConfig(config) });
  for (const detail of warningsFor(flags, config)) log({ event: "service.warning", detail });
  // From here on a signal leads to an orderly stop, even during startup.
  const signalled = terminated();
  const source = await findSecretSource(config);
  for (const detail of secretWarnings(source)) log({ event: "service.warning", detail });
  const tls = await obtainTls(config.EXPORT_SECRETS_DIR, clock.now(), log);
  const service = await startService({ config, source, tls, log });
  log({ event: "service.listening", port: service.port, tls: tls !== undefined });
  if (source.kind === "own") {
    log({ event: "service.standalone", newRootKey: source.isNew, hint: TOKEN_HINT });
  }
  const dates = tls && watchDates(tls, clock, log);
  log({ event: "service.stopping", signal: await signalled });
  dates?.stop();
  // Attempts that do not end in time are left to their leases; nothing is lost by exiting now.
  const cancelExit = clock.after(STOP_TIMEOUT_MS, () => {
    log({ event: "service.cut_short" });
    Deno.exit(0);
  });
  await service.stop(STOP_GRACE_MS);
  cancelExit();
  log({ event: "service.stopped" });
}

const TOKEN_HINT = "Get a token: deno task token --destination https://example.org/";

function terminated(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      Deno.addSignalListener(signal, () => resolve(signal));
    }
  });
}

if (import.meta.main) await runCommand((print) => main(Deno.args, print));
