/** What processes have used so far, as the system counts it. */
import { shell } from "./child.ts";

export interface Usage {
  /** User and system time of the processes and of their children that have ended. */
  readonly cpuSeconds: number;
  /** The peak resident memory of each, added up. */
  readonly peakMiB: number;
}

export function usageOf(pids: readonly number[]): Usage {
  const ticksPerSecond = Number(shell("getconf CLK_TCK"));
  const each = pids.map((pid) => ({
    ticks: ticksIn(shell(`cat /proc/${pid}/stat`)),
    peakMiB: peakMiBIn(shell(`cat /proc/${pid}/status`)),
  }));
  return {
    cpuSeconds: each.reduce((sum, { ticks }) => sum + ticks, 0) / ticksPerSecond,
    peakMiB: each.reduce((sum, { peakMiB }) => sum + peakMiB, 0),
  };
}

/** Resets the recorded peak of a process to its present memory. */
export function forgetPeak(pid: number): void {
  shell(`echo 5 > /proc/${pid}/clear_refs`);
}

/** Sum of utime, stime, cutime, cstime in `/proc/PID/stat`; the name before may hold anything. */
export function ticksIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}

/** The peak of resident memory in `/proc/PID/status`. */
export function peakMiBIn(status: string): number {
  const [, kiB] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  return Number(kiB) / 1_024;
}
