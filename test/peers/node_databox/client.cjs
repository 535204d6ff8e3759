/**
 * An app that does what it is told: each line in is the arguments of one `Longpoll` as JSON, each
 * line out is what became of the promise.
 */
const process = require("node:process");
const { createInterface } = require("node:readline");
const databox = require("node-databox");

const client = databox.NewExportClient(process.env.DATABOX_ARBITER_ENDPOINT, false);

async function longpoll(call) {
  try {
    return { resolved: await client.Longpoll(...call) };
  } catch (error) {
    return { rejected: String(error) };
  }
}

(async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await longpoll(JSON.parse(line)))}\n`);
  }
  process.exit(0);
})();
