/** The words that all modules of the console share. Types alone: nothing of this file is loaded by a browser. */

import type { TemplateResult, nothing } from "../vendor/lit-html/lit-html.js";

export type Status = "launching" | "running" | "canceling" | "failed" | "finished" | "cancelled";
export type Interval = "1m" | "5m" | "15m" | "1h" | "6h" | "1d" | "1w" | "1M";
export type Preset = "24h" | "7d" | "30d" | "1y" | "all";
export type Language = "en" | "zh";
export type Theme = "light" | "dark";

/** Jobs by state, and the bytes of their input. Numbers of jobs are below 2^53, bytes are not. */
export type Counts = Record<Status, number> & { inputBytes: bigint };

export type UserRow = Counts & { name: string };

/** What an answer says beside its figures: Unix ms; null where it does not say it. */
export interface Answered {
  asOfMs: number;
  horizonMs: number | null;
  gaps: number;
}

/** `users` is null for a caller who sees itself alone. */
export interface Statistics extends Answered {
  users: UserRow[] | null;
  totals: Counts;
  userNumber: number;
}

export interface Point extends Counts {
  startMs: number;
  endMs: number;
  isPartial: boolean;
}

export interface Series extends Answered {
  interval: Interval;
  timeZone: string;
  points: Point[];
}

/** Start times in [fromMs, toMs), Unix ms; null is an open bound. */
export interface Bounds {
  fromMs: number | null;
  toMs: number | null;
}

/** A preset ends at the present and goes along with it; other ranges stay where they are. */
export type Range = { preset: Preset } | { fromMs: number; toMs: number };

/** What is seen: all of it stands in the address, so that a colleague sees the same after signing in. */
export interface View {
  range: Range;
  user: string | null;
  status: Status | null;
  interval: Interval | null;
  timeZone: string;
  language: Language;
  isWall: boolean;
  hasPatterns: boolean;
}

/** Who has signed in; the service says it for a token. */
export interface Caller {
  projectId: string;
  userName: string | null;
  isAdministrator: boolean;
  expiresAtMs: number | null;
}

/** The last good answers to what is seen. Figures of one user are taken out of `statistics` by `core/figures.js`. */
export interface Shown {
  view: View;
  bounds: Bounds;
  statistics: Statistics;
  /** The period of the same length before; null where the range has none. */
  before: Statistics | null;
  series: Series | null;
}

export type FailureKind =
  | "signed-out" // the token was refused: expired, revoked, forged
  | "forbidden"
  | "invalid" // the question was refused
  | "busy" // 429
  | "unavailable" // 503
  | "unreachable" // no answer at all
  | "failed"; // anything else

export interface Failure {
  kind: FailureKind;
  /** The service's own words, in the page's language; null where it said none. */
  message: string | null;
  /** When it is worth asking again, Unix ms; null: it is not. */
  retryAtMs: number | null;
}

export type StreamState = "off" | "connecting" | "open" | "broken";

export interface State {
  caller: Caller | null;
  view: View;
  theme: Theme;
  isLive: boolean;
  /** The present by the clock of the service, Unix ms; it moves on every second. */
  nowMs: number;
  shown: Shown | null;
  isLoading: boolean;
  failure: Failure | null;
  /** Of the last figures of a token that has ended; they themselves are gone with it. */
  endedAsOfMs: number | null;
  stream: StreamState;
}

/** What a person can do. Parts of the page call them, and change nothing themselves. */
export interface Actions {
  signIn(token: string): Promise<void>;
  signOut(): void;
  /** Changes some of what is seen, as one step that Back undoes. */
  see(change: Partial<View>): void;
  setTheme(theme: Theme): void;
  setLive(isLive: boolean): void;
  refresh(): void;
  /** Saves the statistics that are seen as the service's own CSV. */
  downloadCsv(): Promise<void>;
}

/** A part of the page: what is to be seen of a state. It keeps nothing, except where a custom element does. */
export type Part = (state: State, actions: Actions) => TemplateResult | typeof nothing;
