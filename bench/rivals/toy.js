/**
 * The toy: the same queue in the memory of one Node process. One lane per token, first in, first
 * out; long polls wake at each change of state. Everything is lost with the process, and an export
 * once its outcome is first reported, as in the original. Argument: the client to deliver with.
 */
import { randomUUID } from "node:crypto";
import process from "node:process";
import { Hono } from "hono";
import { delivererFor } from "./deliver.js";
import { listen } from "./listen.js";

const deliver = delivererFor(process.argv[2]);
const exports = new Map();
/** The end of each lane's last export, by token. */
const lanes = new Map();

function change(record, state, ext_response) {
  Object.assign(record, { state, ext_response });
  for (const wake of record.polls.splice(0)) wake();
}

async function work(record) {
  change(record, "Processing", {});
  try {
    change(record, "Finished", await deliver(record));
  } catch (error) {
    change(record, "Finished", { status: "502 Bad Gateway", body: String(error) });
  }
}

function submit(token, { uri, data }) {
  const id = randomUUID();
  const record = { id, uri, data, state: "Pending", ext_response: {}, polls: [] };
  exports.set(id, record);
  lanes.set(token, (lanes.get(token) ?? Promise.resolve()).then(() => work(record)));
  return record;
}

function nextChange(record, ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    record.polls.push(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

const app = new Hono();

app.post("/lp/export", async (c) => {
  const request = await c.req.json();
  const isNew = request.id === "";
  const record = isNew ? submit(c.req.header("x-api-key"), request) : exports.get(request.id);
  if (record === undefined) return c.json({ title: "Unknown export" }, 404);
  if (!isNew && record.state !== "Finished") {
    await nextChange(record, Number(c.req.query("timeout") ?? 5) * 1_000);
  }
  const { id, state, ext_response } = record;
  if (state === "Finished") exports.delete(id);
  return c.json({ id, state: isNew ? "Pending" : state, ext_response: isNew ? {} : ext_response });
});

listen(app);
