/**
 * The service asks an arbiter on the real libzmq, as a REP socket and as a ROUTER, with everything
 * that may go wrong between the two.
 */
import { assert, assertEquals, assertFalse, assertMatch } from "@std/assert";
import nacl from "tweetnacl";
import type { FetchedSecret } from "../../src/arbiter/fetched_secret.ts";
import { fetchSecretByZest, type ZestQuestion } from "../../src/arbiter/zest_arbiter.ts";
import { systemClock } from "../../src/clock.ts";
import { encodeZ85 } from "../zmtp/encode_z85.ts";
import { AskingService } from "../arbiter/asking_service.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { installScripts, missingTools, NodeProcess } from "./node_process.ts";

const HERE = new URL("./libzmq/", import.meta.url);
const NAME = "export-service";
const TOKEN = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";
/** A limit that no test reaches unless it is about limits. */
const PLENTY_MS = 30_000;

type SocketType = "REP" | "ROUTER";

interface Settings {
  readonly socketType: SocketType;
  readonly heartbeatMs?: number;
}

interface Keys {
  readonly publicKey: string;
  readonly secretKey: string;
}

/** A question as the arbiter saw it, and the secret that is its answer. */
interface Heard {
  readonly question: unknown;
  readonly secret?: string;
  /** Sizes of the frames between who asks and the question. */
  readonly envelope: readonly number[];
}

/** What is asked when all is well. */
const QUESTION = {
  code: 1,
  token: TOKEN,
  host: NAME,
  path: "/store/secret",
  format: 50,
  payload: "",
};

/** An arbiter as a process of its own. */
class Arbiter implements AsyncDisposable {
  readonly port: number;
  readonly keys: Keys;
  readonly #folder: string;
  readonly #settings: Settings;
  readonly #process: NodeProcess;

  private constructor(
    folder: string,
    settings: Settings,
    process: NodeProcess,
    { port, keys }: { port: number; keys: Keys },
  ) {
    this.port = port;
    this.keys = keys;
    this.#folder = folder;
    this.#settings = settings;
    this.#process = process;
  }

  static async start(
    folder: string,
    settings: Settings & { readonly port?: number; readonly keys?: Keys },
  ): Promise<Arbiter> {
    const known = JSON.stringify({ name: NAME, token: TOKEN, ...settings });
    const process = new NodeProcess({
      folder,
      args: ["arbiter.cjs"],
      env: { ARBITER_SETTINGS: known },
    });
    return new Arbiter(folder, settings, process, Object(await process.heard()));
  }

  /** Ends it as a crash would. */
  async end(): Promise<void> {
    await this.#process.end();
  }

  /** Another one in its place: same port, same keys, nothing else. */
  again(): Promise<Arbiter> {
    return Arbiter.start(this.#folder, { ...this.#settings, port: this.port, keys: this.keys });
  }

  /** The next question. */
  async heard(): Promise<Heard> {
    return Object(await this.#process.heard());
  }

  async behave(behaviour: { readonly silent?: true; readonly answer?: string }): Promise<void> {
    assertEquals(await this.#process.ask(behaviour), { behaviour });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

function ask({ port, keys }: Arbiter, change: Partial<ZestQuestion> = {}): Promise<FetchedSecret> {
  return fetchSecretByZest({
    connect: Deno.connect,
    endpoint: new URL(`tcp://127.0.0.1:${port}`),
    serverKey: keys.publicKey,
    token: new TextEncoder().encode(TOKEN),
    name: NAME,
    randomBytes: nacl.randomBytes,
    clock: systemClock,
    timeoutMs: PLENTY_MS,
    signal: new AbortController().signal,
    ...change,
  });
}

/** Asks what must be answered; tells with what. */
async function secretOf(arbiter: Arbiter): Promise<string> {
  const [fetched, { secret }] = await Promise.all([ask(arbiter), arbiter.heard()]);
  if (fetched.kind === "failed") throw new Error(`Expected a secret, found ${fetched.code}`);
  assertEquals(fetched.secret, secret);
  return fetched.secret;
}

async function failureOf(asking: Promise<FetchedSecret>): Promise<string> {
  const fetched = await asking;
  if (fetched.kind === "secret") throw new Error("Expected a failure, found a secret");
  assertFalse(JSON.stringify(fetched).includes(TOKEN));
  return fetched.code;
}

/** Ways that an answer can be wrong, in hexadecimal. */
const ANSWERS: readonly (readonly [what: string, answer: string, code: string])[] = [
  ["an internal error", "a0000000", "internal_error"],
  ["that it cannot now", "a3000000", "unavailable"],
  ["a number that nobody knows", "c8000000", "refusal_unknown"],
  ["a success without a secret", "45010000000c00020000", "secret_missing"],
  ["garbage", "00ff".repeat(500), "answer_malformed"],
  ["a page", "45000000" + new TextEncoder().encode("<html>no</html>").toHex(), "answer_malformed"],
  ["nothing", "", "answer_malformed"],
  ["more than any arbiter would", "45".repeat(70_000), "frame_too_large"],
];

/** With one arbiter that knows the service. */
const ATTEMPTS: Record<string, (arbiter: Arbiter, type: SocketType) => Promise<void>> = {
  async "the right token gets the secret, and the question came as arbiters know it"(
    arbiter,
    type,
  ) {
    const [fetched, { question, secret, envelope }] = await Promise.all([
      ask(arbiter),
      arbiter.heard(),
    ]);
    assertEquals(fetched, { kind: "secret", secret: secret ?? "" });
    assertMatch(secret ?? "", /^[0-9a-f-]{36}$/);
    assertEquals(question, QUESTION);
    assertEquals(envelope, type === "ROUTER" ? [0] : []);
  },

  async "a wrong token is refused"(arbiter) {
    const token = new TextEncoder().encode(`${TOKEN}\n`);
    assertEquals(await failureOf(ask(arbiter, { token })), "unauthorized");
    assertEquals((await arbiter.heard()).question, { ...QUESTION, token: `${TOKEN}\n` });
  },

  async "an unknown host is refused"(arbiter) {
    assertEquals(await failureOf(ask(arbiter, { name: "nobody" })), "unauthorized");
    assertEquals((await arbiter.heard()).question, { ...QUESTION, host: "nobody" });
  },

  async "with the key of another arbiter it is not even asked"(arbiter) {
    const serverKey = encodeZ85(nacl.box.keyPair().publicKey);
    assertEquals(await failureOf(ask(arbiter, { serverKey })), "hello_unanswered");
    // Had it heard a question, it would be the next thing it tells.
    assertEquals(await failureOf(ask(arbiter, { name: "next" })), "unauthorized");
    assertEquals((await arbiter.heard()).question, { ...QUESTION, host: "next" });
  },

  async "silence is left at the time limit, and the next question is answered"(arbiter) {
    const clock = new FakeClock();
    await arbiter.behave({ silent: true });
    const asking = ask(arbiter, { clock });
    await arbiter.heard();
    clock.advance(PLENTY_MS);
    assertEquals(await failureOf(asking), "timed_out");
    assertEquals(clock.pending, 0);
    await arbiter.behave({});
    await secretOf(arbiter);
  },

  async "a wrong answer is a failure, and the next question is answered"(arbiter) {
    for (const [what, answer, code] of ANSWERS) {
      await arbiter.behave({ answer });
      assertEquals(await failureOf(ask(arbiter)), code, what);
      await arbiter.heard();
    }
    await arbiter.behave({});
    await secretOf(arbiter);
  },

  async "each question makes another secret"(arbiter) {
    assert(await secretOf(arbiter) !== await secretOf(arbiter));
  },

  async "many may ask at once"(arbiter) {
    const askings = Array.from({ length: 20 }, () => ask(arbiter));
    const heard = new Set<string>();
    for (const _ of askings) heard.add((await arbiter.heard()).secret ?? "");
    const fetched = await Promise.all(askings);
    assertEquals(new Set(fetched.map((one) => one.kind === "secret" ? one.secret : "")), heard);
    assertEquals(heard.size, 20);
  },
};

/** From a folder with the packages: arbiters come and go. */
const LIVES: Record<string, (folder: string, settings: Settings) => Promise<void>> = {
  async "pings are answered while an answer is awaited"(folder, settings) {
    await using arbiter = await Arbiter.start(folder, { ...settings, heartbeatMs: 1 });
    await arbiter.behave({ silent: true });
    const pinged = Promise.withResolvers<void>();
    const connect: ZestQuestion["connect"] = async (to) => {
      const conn = await Deno.connect(to);
      let writes = 0;
      return {
        read: (buffer) => conn.read(buffer),
        write(bytes) {
          // Greeting, HELLO, INITIATE and the question come before any PONG.
          if (++writes > 4) pinged.resolve();
          return conn.write(bytes);
        },
        close: () => conn.close(),
      };
    };
    const asking = ask(arbiter, { connect });
    const { secret = "" } = await arbiter.heard();
    await Promise.race([pinged.promise, asking]);
    await arbiter.behave({});
    assertEquals(await asking, { kind: "secret", secret });
  },

  async "an arbiter that appears late is found, after failures and delays"(folder, settings) {
    const before = await Arbiter.start(folder, settings);
    await before.end();
    await withService(before, async (start) => {
      await using service = start();
      await service.secrets.start();
      for (const failures of [1, 2]) {
        assertEquals((await service.line(failures)).code, "connect_failed");
        assertEquals(service.secrets.ready, false);
        if (failures === 1) service.passDelay();
      }
      await using arbiter = await before.again();
      service.passDelay();
      const { secret = "" } = await arbiter.heard();
      assertEquals((await service.line(3)).event, "root_key.obtained");
      assertEquals([service.secrets.ready, service.secrets.secrets()], [true, [secret]]);
    });
  },

  async "the service has its secret for good when the arbiter restarts, and a new one when it restarts itself"(
    folder,
    settings,
  ) {
    await using first = await Arbiter.start(folder, settings);
    await withService(first, async (start) => {
      await using service = start();
      await service.secrets.start();
      const { secret: before = "" } = await first.heard();
      await service.line(1);
      await first.end();
      await using second = await first.again();
      service.clock.advance(PLENTY_MS);
      assertEquals([service.secrets.ready, service.secrets.secrets()], [true, [before]]);
      assertEquals([service.asked, service.clock.pending], [1, 0]);
      await service.secrets.stop();

      await using restarted = start();
      await restarted.secrets.start();
      assertEquals(restarted.secrets.secrets(), [before]);
      const { secret: present = "" } = await second.heard();
      await restarted.line(1);
      assertEquals(restarted.secrets.secrets(), [present, before]);
      assertEquals(restarted.asked, 1);
    });
  },

  async "an arbiter that restarts in the middle of a question is asked again"(folder, settings) {
    await using first = await Arbiter.start(folder, settings);
    await first.behave({ silent: true });
    await withService(first, async (start) => {
      await using service = start();
      await service.secrets.start();
      await first.heard();
      await first.end();
      assertEquals((await service.line(1)).code, "connection_lost");
      await using second = await first.again();
      service.passDelay();
      const { secret = "" } = await second.heard();
      await service.line(2);
      assertEquals(service.secrets.secrets(), [secret]);
    });
  },
};

/** Services, one after the other, on one store. */
async function withService(
  arbiter: Arbiter,
  story: (start: () => AskingService) => Promise<void>,
): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  try {
    await story(() => new AskingService(kv, (signal) => ask(arbiter, { signal })));
  } finally {
    kv.close();
  }
}

const missing = missingTools("node", "npm");
const title = "an arbiter on libzmq";

Deno.test({
  name: missing === undefined ? title : `${title} (skipped: ${missing})`,
  ignore: missing !== undefined,
  fn: async (t) => {
    const folder = await Deno.makeTempDir();
    try {
      await installScripts(HERE, folder);
      for (const socketType of ["REP", "ROUTER"] as const) {
        await using arbiter = await Arbiter.start(folder, { socketType });
        for (const [name, attempt] of Object.entries(ATTEMPTS)) {
          await t.step(`${socketType}: ${name}`, () => attempt(arbiter, socketType));
        }
        for (const [name, life] of Object.entries(LIVES)) {
          await t.step(`${socketType}: ${name}`, () => life(folder, { socketType }));
        }
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
