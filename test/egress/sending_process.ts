// deno-lint-ignore-file no-console -- the result is printed
/** Sends one request to the address it is given, and prints by how much its memory grew at most. */
import { LIMITS, send } from "./sending.ts";

const rssMiB = () => Deno.memoryUsage().rss / 1_048_576;
const [uri = ""] = Deno.args;
const extraCa = await Deno.readTextFile(new URL("../fixtures/tls/ca.pem", import.meta.url));
const before = rssMiB();
let most = before;
const sampling = setInterval(() => most = Math.max(most, rssMiB()), 1);
const { kind } = await send(uri, { ...LIMITS, extraCa, answerBytesMax: 1_048_576 });
clearInterval(sampling);
console.log(JSON.stringify({ kind, grownMiB: Math.max(most, rssMiB()) - before }));
