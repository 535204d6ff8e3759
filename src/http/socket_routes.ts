/**
 * `GET /ws/export`: opens a socket. Requests that get here have passed the guard; every refusal is
 * a problem before the upgrade. What is said on the socket is in `conversation.ts`.
 */
import { Hono } from "hono";
import { Conversation, type ConversationParts } from "./conversation.ts";
import { callOf, type Guarded } from "./guard.ts";
import { noteLimit } from "./throttled_log.ts";
import { problem } from "./problem.ts";
import type { ServerSocket, Sockets } from "./sockets.ts";

export function socketRoutes(parts: ConversationParts, sockets: Sockets): Hono<Guarded> {
  return new Hono<Guarded>().get("/ws/export", (c) => {
    if (!asksForWebSocket(c.req.raw)) return problem("upgrade_required");
    const { owner } = c.get("grant");
    if (sockets.isFullFor(owner)) {
      noteLimit("too_many_sockets", owner, parts.throttledLog);
      return problem("too_many_sockets");
    }
    const call = callOf(c.req);
    // From here on nobody may touch the request: it ends with the upgrade.
    const begin = (socket: ServerSocket) => new Conversation(socket, { call, owner }, parts);
    return sockets.open(c.req.raw, owner, begin);
  });
}

/** With anything less, the upgrade would fail, or the socket never open. */
function asksForWebSocket({ method, headers }: Request): boolean {
  return method === "GET" && lists(headers, "upgrade", "websocket") &&
    lists(headers, "connection", "upgrade") && headers.has("sec-websocket-key") &&
    headers.get("sec-websocket-version") === "13";
}

/** Whether `word` is in the list of words that a header holds. */
function lists(headers: Headers, name: string, word: string): boolean {
  const words = (headers.get(name) ?? "").toLowerCase().split(",");
  return words.some((each) => each.trim() === word);
}
