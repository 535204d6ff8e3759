/**
 * The service as a container manager starts it: certificate, key and public key in one file among
 * its secrets, reached by TLS. Only the secret of the tokens is told it instead of fetched.
 */
import { type ServiceProcess, startProcess } from "../fakes/service_process.ts";
import { readTlsFixture } from "../fakes/tls_client.ts";

export const SECRET = "3f0c1d7a-9a53-4b7e-8f6e-0d6c1c1f5a42";

export async function startTlsService(
  folder: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ServiceProcess> {
  const secrets = "data/secrets";
  await Deno.mkdir(`${folder}/${secrets}`, { recursive: true });
  const names = ["server.pem", "server.pkcs1.key", "server.pub"];
  const pem = (await Promise.all(names.map(readTlsFixture))).join("");
  await Deno.writeTextFile(`${folder}/${secrets}/DATABOX.pem`, pem);
  const settings = { EXPORT_SECRET: SECRET, EXPORT_SECRETS_DIR: secrets, ...env };
  return await startProcess({ folder, env: settings });
}

/** Verifies the service by the CA of the fixtures, and closes with the test. */
export async function trustingClient(): Promise<Deno.HttpClient> {
  return Deno.createHttpClient({ caCerts: [await readTlsFixture("ca.pem")] });
}
