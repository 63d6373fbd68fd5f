/** @typedef {{ type: string, data: string, id: string }} ServerEvent An event of a `text/event-stream`, complete. */

const LONGEST_EVENT = 16 * 1024 * 1024; // characters; an event with 5,000 users has about one million

/** Reads a `text/event-stream` as the HTML standard has it, however its text is cut into pieces. */
export class EventParser {
  #line = "";
  #afterReturn = false;
  #type = "";
  /** @type {string[]} */
  #data = [];
  #length = 0;
  #id = "";

  /**
   * Returns the events that this piece of text completes. Throws a RangeError where an event does not end.
   *
   * @param {string} text
   * @returns {ServerEvent[]}
   */
  push(text) {
    if (text === "") return [];
    // A line ends in LF, in CR, or in both, which may come in two pieces.
    const rest = this.#afterReturn && text.startsWith("\n") ? text.slice(1) : text;
    this.#afterReturn = text.endsWith("\r");
    const [end, ...more] = rest.split(/\r\n|\n|\r/);
    const lines = [this.#line + end, ...more];
    this.#line = lines.pop() ?? "";
    if (this.#length + this.#line.length > LONGEST_EVENT) throw new RangeError("An event does not end.");
    return lines.flatMap((line) => (line === "" ? this.#dispatch() : this.#take(line)));
  }

  /** @returns {ServerEvent[]} */
  #dispatch() {
    const event = { type: this.#type || "message", data: this.#data.join("\n"), id: this.#id };
    const isEmpty = this.#data.length === 0;
    this.#type = "";
    this.#data = [];
    this.#length = 0;
    return isEmpty ? [] : [event];
  }

  /**
   * @param {string} line
   * @returns {ServerEvent[]}
   */
  #take(line) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") this.#type = value;
    else if (field === "data") {
      this.#data.push(value);
      this.#length += value.length;
    } else if (field === "id" && !value.includes("\0")) this.#id = value;
    return []; // a comment begins with a colon: its field has no name
  }
}

/**
 * Yields the events of an answer's body until it ends. Characters may be cut anywhere.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<ServerEvent, void>}
 */
export async function* eventsOf(body) {
  const reader = body.getReader();
  const parser = new EventParser();
  const decoder = new TextDecoder("utf-8", { fatal: true }); // no name is guessed
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      yield* parser.push(decoder.decode(piece.value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined); // a broken body has nothing to cancel
  }
}
