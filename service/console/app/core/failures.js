import { retryAfterMs } from "./waiting.js";

/** @typedef {import("../types.d.ts").Failure} Failure */
/** @typedef {import("../types.d.ts").FailureKind} FailureKind */

/** @type {Record<number, FailureKind>} */
const KINDS = {
  400: "invalid",
  401: "signed-out",
  403: "forbidden",
  429: "busy",
  502: "unavailable",
  503: "unavailable",
  504: "unavailable",
};
/** @type {readonly FailureKind[]} Those after which the same question may be answered. */
const PASSING = ["busy", "unavailable", "unreachable", "failed"];
const WAIT_MS = 2000;
const LONGEST_WAIT_MS = 60_000;

/** A question that was not answered, with what a person should know of it. */
export class ApiError extends Error {
  /**
   * @param {FailureKind} kind
   * @param {string | null} said The service's own words.
   * @param {number} waitMs What the service asks to wait; 0 where it does not say.
   */
  constructor(kind, said = null, waitMs = 0) {
    super(kind);
    this.kind = kind;
    this.said = said;
    this.waitMs = waitMs;
  }

  /**
   * Returns the failure that the page shows. After each failure in a row the page waits longer before it asks again.
   *
   * @param {number} nowMs
   * @param {number} inARow From 1.
   * @returns {Failure}
   */
  toFailure(nowMs, inARow) {
    const own = Math.min(WAIT_MS * 2 ** (inARow - 1), LONGEST_WAIT_MS);
    const retryAtMs = PASSING.includes(this.kind) ? nowMs + Math.max(this.waitMs, own) : null;
    return { kind: this.kind, message: this.said, retryAtMs };
  }
}

/** Returns what stands for an answer that did not come, or could not be read. */
export function unreachable() {
  return new ApiError("unreachable");
}

/**
 * Returns what an answer with an error says.
 *
 * @param {Response} response
 * @returns {Promise<ApiError>}
 */
export async function refusal(response) {
  const kind = KINDS[response.status] ?? "failed";
  const waitMs = retryAfterMs(response.headers.get("Retry-After"), Date.now());
  /** @type {{ error_msg?: unknown }} A proxy may answer what is no JSON. */
  const body = await response.json().catch(() => ({}));
  const said = typeof body?.error_msg === "string" ? body.error_msg : null;
  return new ApiError(kind, said, waitMs);
}
