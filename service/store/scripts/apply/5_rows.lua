-- Rows: one per user in an inner node, or in a node of level 0. The sum of bytes is two words, lo below 2^32 and hi.
-- Most nodes hold few jobs of a user: their rows are narrow, until one does not fit; then all rows of the node become
-- wide.

local FORMATS = {[NARROW] = '<c6BBBBBBI4I3', [WIDE] = '<c6I4I4I4I4I4I4I4I6'}
local MOST_JOBS = {[NARROW] = 256, [WIDE] = WORD}
local MOST_HI = {[NARROW] = 16777216, [WIDE] = 281474976710656}
local MARKERS = {[NARROW] = 'r', [WIDE] = 'R'}

local function width_of(items) return byte(items) == 114 and NARROW or WIDE end

-- Returns a row with a delta added to it, or nil if it does not fit into a narrow row. Raises DRIFT and OVERFLOW.
local function pack_row(width, delta, user, a, b, c, d, e, f, lo, hi)
  a, b, c = a + delta[1], b + delta[2], c + delta[3]
  d, e, f = d + delta[4], e + delta[5], f + delta[6]
  lo, hi = lo + delta[7], hi + delta[8]
  local carry = floor(lo / WORD)
  lo, hi = lo - carry * WORD, hi + carry
  if a < 0 or b < 0 or c < 0 or d < 0 or e < 0 or f < 0 or hi < 0 then
    error({err = 'DRIFT a user has fewer jobs or bytes than none'})
  end
  local most = MOST_JOBS[width]
  if a >= most or b >= most or c >= most or d >= most or e >= most or f >= most or hi >= MOST_HI[width] then
    if width == NARROW then return nil end
    error({err = 'OVERFLOW a user has more jobs or bytes than a row can hold'})
  end
  return pack(FORMATS[width], user, a, b, c, d, e, f, lo, hi)
end

local function changed_row(width, items, position, delta)
  return pack_row(width, delta, unpack_s(FORMATS[width], items, position))
end

local function new_row(width, user, delta) return pack_row(width, delta, user, 0, 0, 0, 0, 0, 0, 0, 0) end

-- Adds the deltas to a node's rows by searching for each user, as fits few users of many. Returns false, and writes
-- nothing, if a row does not fit.
local function apply_some_rows(node, width)
  local items, changed, fresh = node.items, {}, {}
  for user, delta in pairs(node.deltas) do
    local position, index = search(items, 1, width, user)
    local row
    if position then
      row = changed_row(width, items, position, delta)
      changed[#changed + 1] = {position, row}
    else
      row = new_row(width, user, delta)
      fresh[#fresh + 1] = {2 + index * width, row, unpack_s('<I6', user)}
    end
    if not row then return false end
  end
  write_items(node.key, items, width, changed, fresh, not node.widened)
  return true
end

-- Adds the deltas to a node's rows in one pass over all rows. Returns what apply_some_rows returns.
local function apply_all_rows(node, width)
  local items, deltas = node.items, node.deltas
  if node.users * 4 * width < #items then return apply_some_rows(node, width) end
  local parts, known = {MARKERS[width]}, 0
  for at = 2, #items, width do
    local delta = deltas[sub(items, at, at + 5)]
    if delta then
      known = known + 1
      local row = changed_row(width, items, at, delta)
      if not row then return false end
      parts[#parts + 1] = row
    else
      parts[#parts + 1] = sub(items, at, at + width - 1)
    end
  end
  if known < node.users then return apply_some_rows(node, width) end
  write_string(node.key, table.concat(parts))
  return true
end

local NOTHING = {0, 0, 0, 0, 0, 0, 0, 0}

local function apply_rows(node)
  if apply_all_rows(node, width_of(node.items)) then return end
  local parts = {MARKERS[WIDE]}
  for at = 2, #node.items, NARROW do
    parts[#parts + 1] = pack_row(WIDE, NOTHING, unpack_s(FORMATS[NARROW], node.items, at))
  end
  node.items, node.widened = table.concat(parts), true
  apply_all_rows(node, WIDE)
end

-- Returns the string of rows that these entries sum up to: narrow rows if all fit, else wide ones.
local function build_rows(entries)
  local node, users = {level = 0}, {}
  local tree = {touched = {[0] = {}}}
  for _, entry in ipairs(entries) do count(tree, node, 1, unpack_s('<I4I3c6B', entry, 8)) end
  for user in pairs(node.deltas) do users[#users + 1] = {unpack_s('<I6', user), user} end
  table.sort(users, function(a, b) return a[1] < b[1] end)
  for _, width in ipairs({NARROW, WIDE}) do
    local parts = {MARKERS[width]}
    for i, item in ipairs(users) do
      local row = new_row(width, item[2], node.deltas[item[2]])
      if not row then break end
      parts[i + 1] = row
    end
    if #parts == #users + 1 then return table.concat(parts) end
  end
end
