import { answeredOf, parse, toSeries, toStatistics } from "./answers.js";
import { ApiError, refusal, unreachable } from "./failures.js";

/** @typedef {import("../types.d.ts").Answered} Answered */
/** @typedef {import("../types.d.ts").Bounds} Bounds */
/** @typedef {import("../types.d.ts").Caller} Caller */
/** @typedef {import("../types.d.ts").Interval} Interval */
/** @typedef {import("../types.d.ts").Language} Language */

const PATIENCE_MS = 20_000;
export const TAGS = { en: "en-us", zh: "zh-cn" };

/**
 * @typedef {object} Asking How a question is asked.
 * @property {string} token
 * @property {Language} language For the service's own words.
 * @property {AbortSignal} signal
 */

/**
 * Asks the service, below the address of the page. Each method throws an ApiError with what a person should know.
 */
export class Api {
  /**
   * @param {string} base The address of the page.
   * @param {import("./service_clock.js").ServiceClock} clock
   */
  constructor(base, clock) {
    this.base = base;
    this.clock = clock;
  }

  /**
   * @param {Asking} asking
   * @returns {Promise<Caller>}
   */
  async caller(asking) {
    return this.#ask("console/caller", asking, (body) => {
      if (typeof body.project_id !== "string") throw new TypeError("no caller");
      return {
        projectId: body.project_id,
        userName: body.user_name ?? null,
        isAdministrator: body.is_administrator === true,
        expiresAtMs: body.expires_at ?? null,
      };
    });
  }

  /**
   * @param {string} projectId
   * @param {Bounds} bounds
   * @param {Asking} asking
   */
  async statistics(projectId, bounds, asking) {
    return this.#ask(path(projectId, "statistics", queryOf(bounds)), asking, (body, answered) =>
      toStatistics(body, answered.asOfMs, answered),
    );
  }

  /**
   * @param {string} projectId
   * @param {{ fromMs: number, toMs: number, interval: Interval, timeZone: string, user: string | null }} question
   * @param {Asking} asking
   */
  async series(projectId, { fromMs, toMs, interval, timeZone, user }, asking) {
    const query = queryOf({ fromMs, toMs });
    query.set("interval", interval);
    query.set("time_zone", timeZone);
    if (user !== null) query.set("user_name", user);
    return this.#ask(path(projectId, "statistics/timeseries", query), asking, toSeries);
  }

  /**
   * Returns the address of the stream of statistics.
   *
   * @param {string} projectId
   * @param {Bounds} bounds
   */
  streamAddress(projectId, bounds) {
    return this.#address(path(projectId, "statistics/stream", queryOf(bounds)));
  }

  /**
   * Returns statistics as the service writes them in CSV.
   *
   * @param {string} projectId
   * @param {Bounds} bounds
   * @param {Asking} asking
   */
  async csv(projectId, bounds, asking) {
    const response = await this.#fetch(path(projectId, "statistics", queryOf(bounds)), asking, "text/csv");
    return readable(response.blob());
  }

  /** @param {string} relative */
  #address(relative) {
    return new URL(relative, this.base).href;
  }

  /**
   * @template T
   * @param {string} relative
   * @param {Asking} asking
   * @param {(body: any, answered: Answered) => T} read
   */
  async #ask(relative, asking, read) {
    const response = await this.#fetch(relative, asking, "application/json");
    const text = await readable(response.text());
    try {
      return read(parse(text), answeredOf(response.headers));
    } catch {
      throw new ApiError("failed"); // it is of something else than the service: a proxy, a captive portal
    }
  }

  /**
   * @param {string} relative
   * @param {Asking} asking
   * @param {string} accept
   */
  async #fetch(relative, { token, language, signal }, accept) {
    // A header holds nothing else, so it is no token of the service; without this it would not be asked at all.
    if (!/^[\x20-\x7e]+$/.test(token)) throw new ApiError("signed-out");
    const headers = { Accept: accept, "X-Auth-Token": token, "X-Language": TAGS[language] };
    const ends = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
    const response = await readable(fetch(this.#address(relative), { headers, signal: ends }));
    this.clock.hear(response.headers.get("Date"));
    if (!response.ok) throw await refusal(response);
    return response;
  }
}

/**
 * @template T
 * @param {Promise<T>} answer
 * @returns {Promise<T>}
 */
async function readable(answer) {
  try {
    return await answer;
  } catch (error) {
    throw error instanceof ApiError ? error : unreachable();
  }
}

/**
 * @param {string} projectId
 * @param {string} resource
 * @param {URLSearchParams} query
 */
function path(projectId, resource, query) {
  const text = query.toString();
  return `v2.0/${encodeURIComponent(projectId)}/gene/${resource}${text ? `?${text}` : ""}`;
}

/** @param {Bounds} bounds */
function queryOf({ fromMs, toMs }) {
  const query = new URLSearchParams();
  if (fromMs !== null) query.set("start", String(fromMs));
  if (toMs !== null) query.set("end", String(toMs));
  return query;
}
