import { answeredOf, parse, toStatistics } from "./answers.js";
import { eventsOf } from "./event_parser.js";
import { retryAfterMs } from "./waiting.js";

/** @typedef {import("../types.d.ts").FailureKind} FailureKind */
/** @typedef {import("../types.d.ts").Statistics} Statistics */
/**
 * @typedef {object} Asked What a connection asks with.
 * @property {string} url Of the stream, with its bounds.
 * @property {string} token
 * @property {string} language For the service's own words: `en-us`, `zh-cn`.
 *
 * @typedef {{ statistics: Statistics | null, asOfMs: number, id: string }} Message Statistics are null for an event
 *     that says that nothing has changed.
 *
 * @typedef {object} Closed How a connection ended.
 * @property {boolean} isClean The process that answered stops; another one takes over.
 * @property {FailureKind | null} failure Why it is of no use to connect again; null where it is.
 * @property {number} askedMs How long the service asks to wait; 0 where it does not say.
 */

const SILENCE_MS = 45_000; // three times what the service lets pass at most
/** @type {Closed} */
const BROKEN = { isClean: false, failure: null, askedMs: 0 };
/** @type {Record<number, FailureKind>} */
const FINAL = { 400: "invalid", 401: "signed-out", 403: "forbidden" };

/**
 * Yields what one connection says, and returns how it ended. It throws nothing: a connection that breaks, says nothing
 * for 45 seconds, or says what cannot be read, has ended.
 *
 * @param {Asked} asked
 * @param {string} lastId The id of the last event that was taken; empty for none.
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Message, Closed, void>}
 */
export async function* messagesOf(asked, lastId, signal) {
  const silence = new AbortController();
  const ends = AbortSignal.any([signal, silence.signal]);
  const startTimer = () => setTimeout(() => silence.abort(), SILENCE_MS);
  let timer = startTimer();
  try {
    const response = await fetch(asked.url, { headers: headersOf(asked, lastId), cache: "no-store", signal: ends });
    if (!response.ok || response.body === null) return refused(response);
    for await (const event of eventsOf(response.body)) {
      clearTimeout(timer);
      timer = startTimer();
      if (event.type === "end") return ended(parse(event.data));
      if (event.type === "statistics" || event.type === "as_of") yield messageOf(event, response.headers);
    }
    return BROKEN;
  } catch {
    return BROKEN; // whatever it was: the network, bytes that are not UTF-8, text that is not JSON
  } finally {
    clearTimeout(timer);
    silence.abort();
  }
}

/**
 * @param {Asked} asked
 * @param {string} lastId
 * @returns {Record<string, string>}
 */
function headersOf(asked, lastId) {
  const headers = { Accept: "text/event-stream", "X-Auth-Token": asked.token, "X-Language": asked.language };
  return lastId === "" ? headers : { ...headers, "Last-Event-ID": lastId };
}

/**
 * @param {import("./event_parser.js").ServerEvent} event
 * @param {Headers} headers Of the answer.
 * @returns {Message}
 */
function messageOf({ type, data, id }, headers) {
  const { as_of: asOfMs, statistics } = parse(data);
  return { asOfMs, id, statistics: type === "statistics" ? toStatistics(statistics, asOfMs, answeredOf(headers)) : null };
}

/**
 * @param {{ reason: string }} said `expired`, `revoked`, `stopping` or `failed`.
 * @returns {Closed}
 */
function ended({ reason }) {
  const isRefused = reason === "expired" || reason === "revoked";
  return { isClean: reason === "stopping", failure: isRefused ? "signed-out" : null, askedMs: 0 };
}

/**
 * @param {Response} response
 * @returns {Closed}
 */
function refused(response) {
  const askedMs = retryAfterMs(response.headers.get("Retry-After"), Date.now());
  return { isClean: false, failure: FINAL[response.status] ?? null, askedMs };
}
