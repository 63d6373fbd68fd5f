-- Rows: one per user in an inner node. The bytes are a sum of two words, lo below 2^32 and hi below 2^48.

local function pack_row(user, row)
  local lo, hi = row[7], row[8]
  local carry = floor(lo / WORD)
  lo, hi = lo - carry * WORD, hi + carry
  if hi < 0 or hi >= 281474976710656 then error({err = 'DRIFT bytes of a user out of range'}) end
  for status = 1, 6 do
    if row[status] < 0 or row[status] >= WORD then error({err = 'DRIFT jobs of a user out of range'}) end
  end
  return pack('<c6I4I4I4I4I4I4I4I6', user, row[1], row[2], row[3], row[4], row[5], row[6], lo, hi)
end

local function add_row(items, position, delta)
  local _, a, b, c, d, e, f, lo, hi = unpack_s('<c6I4I4I4I4I4I4I4I6', items, position)
  return {a + delta[1], b + delta[2], c + delta[3], d + delta[4], e + delta[5], f + delta[6],
          lo + delta[7], hi + delta[8]}
end

local function is_zero(delta)
  for i = 1, 8 do
    if delta[i] ~= 0 then return false end
  end
  return true
end

-- Writes the node's rows with its deltas in them.
local function apply_rows(node)
  local items, changed, fresh = node.items, {}, {}
  for user, delta in pairs(node.deltas) do
    if not is_zero(delta) then
      local position, index = search(items, 1, ROW, user)
      if position then
        changed[#changed + 1] = {position, pack_row(user, add_row(items, position, delta))}
      else
        fresh[#fresh + 1] = {2 + index * ROW, pack_row(user, delta), unpack_s('<I6', user)}
      end
    end
  end
  write_items(node.key, items, ROW, changed, fresh)
end

-- The rows of a node from the entries below it.
local function build_rows(entries)
  local deltas, rows = {}, {}
  for _, entry in ipairs(entries) do count(deltas, entry, 1) end
  for user, delta in pairs(deltas) do rows[#rows + 1] = {unpack_s('<I6', user), pack_row(user, delta)} end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  local parts = {'R'}
  for i, row in ipairs(rows) do parts[i + 1] = row[2] end
  return table.concat(parts)
end
