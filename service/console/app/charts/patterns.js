/** @typedef {import("../types.d.ts").Status} Status */
/** @typedef {import("./look.js").Look} Look */

const EIGHTH = Math.PI / 4;

/**
 * What tells the states apart without colour: lines at an angle, so far from each other, or dots. The style sheet has
 * the same for marks in text.
 *
 * @type {Record<Status, { angle: number, gap: number, isDotted?: boolean } | null>}
 */
const PATTERNS = {
  launching: { angle: 0, gap: 4, isDotted: true },
  running: { angle: EIGHTH, gap: 7 },
  canceling: { angle: 2 * EIGHTH, gap: 5 },
  failed: { angle: -EIGHTH, gap: 4 },
  finished: null,
  cancelled: { angle: 0, gap: 5 },
};

/**
 * Returns the pattern of a state for a chart.
 *
 * @param {Status} status
 * @param {Look} look
 */
export function decalOf(status, look) {
  const pattern = PATTERNS[status];
  if (!pattern) return { symbol: "none" };
  const { angle, gap, isDotted } = pattern;
  if (isDotted) {
    return { symbol: "circle", symbolSize: 0.8, dashArrayX: [[gap, gap], [0, gap, gap, 0]], dashArrayY: [gap, 0], color: look.surface };
  }
  return lines(angle, gap, look);
}

/**
 * Returns the hatching of what is not whole.
 *
 * @param {Look} look
 */
export function partialDecal(look) {
  return lines(-EIGHTH, 3, look);
}

/**
 * @param {number} angle
 * @param {number} gap
 * @param {Look} look
 */
function lines(angle, gap, look) {
  return { symbol: "rect", symbolSize: 1, dashArrayX: [1, 0], dashArrayY: [1.5, gap], rotation: angle, color: look.surface };
}

/**
 * Fills the mark of a state on a canvas.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Status} status
 * @param {{ x: number, y: number, size: number }} place
 * @param {Look} look
 * @param {boolean} hasPatterns
 */
export function fillMark(context, status, { x, y, size }, look, hasPatterns) {
  context.save();
  context.beginPath();
  context.rect(x, y, size, size);
  context.clip();
  context.fillStyle = look.statuses[status];
  context.fillRect(x, y, size, size);
  const pattern = hasPatterns ? PATTERNS[status] : null;
  if (pattern) {
    context.strokeStyle = look.surface;
    context.lineWidth = 1.5;
    if (pattern.isDotted) context.setLineDash([1.5, 2.5]);
    context.translate(x + size / 2, y + size / 2);
    context.rotate(pattern.angle);
    for (let at = -size; at <= size; at += pattern.gap) {
      context.beginPath();
      context.moveTo(-size, at);
      context.lineTo(size, at);
      context.stroke();
    }
  }
  context.restore();
}
