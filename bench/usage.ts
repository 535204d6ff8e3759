/** What processes have used so far, as the system counts it. */
import { shell } from "./child.ts";

export interface Usage {
  /** Processor time, in user and system mode, of them and of children that have ended. */
  readonly cpuSeconds: number;
  /** The most memory that each has had resident, added up. */
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

/** The peak of a process is from now on what it has at present, or more. */
export function forgetPeak(pid: number): void {
  shell(`echo 5 > /proc/${pid}/clear_refs`);
}

/** Processor time in `/proc/PID/stat`: utime, stime, cutime, cstime. A name may hold anything. */
export function ticksIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}

/** The peak of resident memory in `/proc/PID/status`. */
export function peakMiBIn(status: string): number {
  const [, kiB] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  return Number(kiB) / 1_024;
}
