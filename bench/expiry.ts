// deno-lint-ignore-file no-console -- figures are printed
/**
 * Whether expiry keeps up with acceptance: a service accepts as fast as 16 clients can submit,
 * while earlier exports expire at the same rate.
 */
import { EXPIRY_SPREAD_MS } from "../src/ledger/store_limits.ts";
import type { Figures, Surroundings } from "./measure.ts";
import { rivalOf } from "./rivals.ts";
import { startService } from "./service.ts";
import { median } from "./statistics.ts";
import { bytesOf, contentsOf, fill, removeFolder } from "./stores.ts";
import { figure } from "./table.ts";
import { verdict } from "./verdict.ts";

const RETENTION_S = 60;
const SETTINGS = { EXPORT_RETENTION: `${RETENTION_S}s` };
const CLIENTS = 16;
const WARM_UP_MS = 3_000;
const SAMPLE_MS = 10_000;
/** The store is swept once a minute, so the maxima of whole minutes are compared. */
const SAMPLES_OF_A_MINUTE = 7;

interface Sample {
  readonly kept: number;
  readonly bytes: number;
  readonly figures: Figures;
}

/** @param folder for the store; it is removed at the end */
export async function measureExpiry(
  folder: string,
  minutes: number,
  surroundings: Surroundings,
): Promise<void> {
  const rate = await measureRate(surroundings);
  // Kept for the retention, and on average for half of the spread after it.
  const held = Math.round(rate * (RETENTION_S + EXPIRY_SPREAD_MS / 2_000));
  await removeFolder(folder);
  await fill(folder, "expiring", held, RETENTION_S * 1_000);
  console.log(`${figure(rate)} exports a second were accepted; ${held} are kept of them`);
  const samples = await sampleFor(minutes, folder, surroundings);
  await removeFolder(folder);

  const kept = samples.map(({ kept }) => kept);
  const first = Math.max(...kept.slice(0, SAMPLES_OF_A_MINUTE));
  const last = Math.max(...kept.slice(-SAMPLES_OF_A_MINUTE));
  console.log(verdict("exports kept, last minute to first", last / first, { atMost: 1.1 }));
  const share = median(samples.map(({ figures }) => figures.perSecond)) / rate;
  console.log(`     exports/s, to those on an empty store: ${figure(share)}`);
  // Only the ledger itself still grows: its entries never expire.
  const grown = (samples.at(-1)?.bytes ?? NaN) - (samples[0]?.bytes ?? NaN);
  const exports = samples.slice(1).reduce((sum, { figures }) => sum + figures.exports, 0);
  console.log(
    `     the store grew by ${figure(grown / 1_048_576)} MiB, ` +
      `${figure(grown / exports)} bytes an export`,
  );
  const p99 = Math.max(...samples.map(({ figures }) => figures.finished.p99));
  console.log(`     worst ten seconds: p99 ${figure(p99)} ms`);
}

/** Exports per second, on an empty store. */
async function measureRate({ measure }: Surroundings): Promise<number> {
  await using service = await startService({ env: SETTINGS });
  await measure(rivalOf(service), { clients: CLIENTS, ms: WARM_UP_MS });
  return (await measure(rivalOf(service), { clients: CLIENTS, ms: WARM_UP_MS })).perSecond;
}

async function sampleFor(minutes: number, folder: string, { measure }: Surroundings) {
  await using service = await startService({ env: SETTINGS, folder });
  const samples: Sample[] = [];
  const begun = performance.now();
  while (performance.now() - begun < minutes * 60_000) {
    const figures = await measure(rivalOf(service), { clients: CLIENTS, ms: SAMPLE_MS });
    const contents = contentsOf(folder);
    const [kept = 0, answers = 0, pages = 0] = ["export", "answer", "ledger"]
      .map((kind) => contents.get(kind)?.rows);
    const bytes = bytesOf(folder);
    samples.push({ kept, bytes, figures });
    const seconds = Math.round((performance.now() - begun) / 1_000);
    console.log(
      `${seconds} s  ${kept} exports, ${answers} answers, ${pages} pages of the ledger  ` +
        `${figure(bytes / 1_048_576)} MiB  ` +
        `${figure(figures.perSecond)} exports/s  p99 ${figure(figures.finished.p99)} ms`,
    );
  }
  return samples;
}
