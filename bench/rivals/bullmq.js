/**
 * The usual choice: BullMQ on Redis, its worker in the serving process. Arguments: the client to
 * deliver with, and the port of Redis. No lanes: the free version keeps no order in a group; no
 * token.
 */
import { randomUUID } from "node:crypto";
import process from "node:process";
import { Job, Queue, QueueEvents, Worker } from "bullmq";
import { Hono } from "hono";
import { Redis } from "ioredis";
import { delivererFor } from "./deliver.js";
import { listen } from "./listen.js";

const NAME = "exports";
const deliver = delivererFor(process.argv[2]);
const redis = { host: "127.0.0.1", port: Number(process.argv[3]), maxRetriesPerRequest: null };
const queue = new Queue(NAME, {
  // One connection for all short commands; blocking ones have their own.
  connection: new Redis(redis),
  defaultJobOptions: {
    attempts: 50,
    backoff: { type: "exponential", delay: 5_000 },
    removeOnComplete: { age: 86_400, count: 10_000 },
    removeOnFail: { age: 86_400 },
  },
});
const events = new QueueEvents(NAME, { connection: redis });
// Each poll adds listeners to both.
for (const each of [queue, events]) each.setMaxListeners(0);
const worker = new Worker(NAME, ({ id, data }) => deliver({ id, ...data }), {
  connection: redis,
  concurrency: 64,
});
await Promise.all([queue, events, worker].map((each) => each.waitUntilReady()));

const app = new Hono();

app.post("/lp/export", async (c) => {
  const { id, uri, data } = await c.req.json();
  if (id === "") {
    const jobId = randomUUID();
    await queue.add("export", { uri, data }, { jobId });
    return c.json({ id: jobId, state: "Pending", ext_response: {} });
  }
  const job = await Job.fromId(queue, id);
  if (job === undefined) return c.json({ title: "Unknown export" }, 404);
  try {
    const ms = Number(c.req.query("timeout") ?? 5) * 1_000;
    const ext_response = await job.waitUntilFinished(events, ms);
    return c.json({ id, state: "Finished", ext_response });
  } catch {
    // Timed out, or the last attempt failed.
    const state = await job.isFailed() ? "Finished" : "Processing";
    return c.json({ id, state, ext_response: {} });
  }
});

listen(app);
