-- Rows: one per user in an inner node. The bytes are a sum of two words, lo below 2^32 and hi below 2^48.

-- A row with a delta in it.
local function pack_row(user, delta, a, b, c, d, e, f, lo, hi)
  a, b, c = a + delta[1], b + delta[2], c + delta[3]
  d, e, f = d + delta[4], e + delta[5], f + delta[6]
  lo, hi = lo + delta[7], hi + delta[8]
  local carry = floor(lo / WORD)
  lo, hi = lo - carry * WORD, hi + carry
  if math.min(a, b, c, d, e, f, hi) < 0 then error({err = 'DRIFT a user has fewer jobs or bytes than none'}) end
  if math.max(a, b, c, d, e, f) >= WORD or hi >= 281474976710656 then
    error({err = 'OVERFLOW a user has more jobs or bytes than a row can hold'})
  end
  return pack('<c6I4I4I4I4I4I4I4I6', user, a, b, c, d, e, f, lo, hi)
end

local function changed_row(items, position, user, delta)
  return pack_row(user, delta, unpack_s('<I4I4I4I4I4I4I4I6', items, position + 6))
end

local function new_row(user, delta) return pack_row(user, delta, 0, 0, 0, 0, 0, 0, 0, 0) end

-- Few users of many: each is searched for.
local function apply_some_rows(node)
  local items, changed, fresh = node.items, {}, {}
  for user, delta in pairs(node.deltas) do
    local position, index = search(items, 1, ROW, user)
    if position then
      changed[#changed + 1] = {position, changed_row(items, position, user, delta)}
    else
      fresh[#fresh + 1] = {2 + index * ROW, new_row(user, delta), unpack_s('<I6', user)}
    end
  end
  write_items(node.key, items, ROW, changed, fresh)
end

-- Writes the node's rows with its deltas in them.
local function apply_rows(node)
  local items, deltas = node.items, node.deltas
  if node.users * 4 * ROW < #items then return apply_some_rows(node) end
  local parts, known = {'R'}, 0
  for at = 2, #items, ROW do
    local user = sub(items, at, at + 5)
    local delta = deltas[user]
    if delta then
      known = known + 1
      parts[#parts + 1] = changed_row(items, at, user, delta)
    else
      parts[#parts + 1] = sub(items, at, at + ROW - 1)
    end
  end
  if known < node.users then return apply_some_rows(node) end
  write_string(node.key, table.concat(parts))
end

-- The rows of a node from the entries below it.
local function build_rows(entries)
  local node, rows = {level = 0}, {}
  local tree = {touched = {[0] = {}}}
  for _, entry in ipairs(entries) do count(tree, node, entry, 1) end
  for user, delta in pairs(node.deltas) do rows[#rows + 1] = {unpack_s('<I6', user), new_row(user, delta)} end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  local parts = {'R'}
  for i, row in ipairs(rows) do parts[i + 1] = row[2] end
  return table.concat(parts)
end
