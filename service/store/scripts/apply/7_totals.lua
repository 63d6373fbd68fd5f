-- Totals: what all projects of the stripe count together, which is the sum of their topmost nodes.
--
-- The string: state; sums: six counts, bytes of input (lo, mid, hi). While a count is under way there follow the sums of
-- the projects that it has counted, and the id of the last of these: the cursor. A write adds what it changes to the
-- totals, and to a count if its project is not behind the cursor.
local SUMS, SUMS_BYTES = '<I8I8I8I8I8I8I4I4I8', 64
local UNKNOWN, KNOWN, COUNTING = 0, 1, 2  -- COUNTING: only a count is there
local totals_key = PREFIX .. 'totals'

local function no_sums() return {0, 0, 0, 0, 0, 0, 0, 0, 0} end

-- Adds six counts and bytes (lo, hi) to sums.
local function add_sums(sums, delta)
  for i = 1, 6 do sums[i] = sums[i] + delta[i] end
  local lo = sums[7] + delta[7]
  local mid = sums[8] + delta[8] + floor(lo / WORD)
  sums[7], sums[8], sums[9] = lo % WORD, mid % WORD, sums[9] + floor(mid / WORD)
end

local function join_sums(sums, others)
  add_sums(sums, {others[1], others[2], others[3], others[4], others[5], others[6], others[7], others[8]})
  sums[9] = sums[9] + others[9]
end

local function are_possible(sums)
  return math.min(sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[9]) >= 0
end

-- Returns the stripe's totals, or nil where they are not known and no count is under way. A stripe that has no head yet
-- has no totals either: it counts nothing, unless it has projects.
local function read_totals(is_without_head)
  local stored = redis.pcall('GET', totals_key)
  if type(stored) == 'table' then
    if find(stored.err, 'WRONGTYPE', 1, true) then return nil end
    error(stored)
  end
  if not stored then
    if not is_without_head or call('EXISTS', PREFIX .. 'projects') == 1 then return nil end
    return {state = KNOWN, sums = no_sums(), is_new = true}
  end
  local state, has_count = byte(stored), #stored > 2 * SUMS_BYTES
  if (state ~= KNOWN or #stored ~= 1 + SUMS_BYTES) and not has_count then return nil end
  if state ~= KNOWN and state ~= COUNTING then return nil end
  local totals = {state = state, sums = {unpack_s(SUMS, stored, 2)}}
  if has_count then
    totals.counted = {unpack_s(SUMS, stored, 2 + SUMS_BYTES)}
    totals.cursor = sub(stored, 2 + 2 * SUMS_BYTES)
  end
  return totals
end

local function pack_totals(totals)
  if not are_possible(totals.sums) or (totals.counted and not are_possible(totals.counted)) then
    return string.rep('\0', 1 + SUMS_BYTES)  -- another hand has been here: what is counted is no longer known
  end
  local packed = string.char(totals.state) .. pack(SUMS, unpack(totals.sums, 1, 9))
  if totals.counted then packed = packed .. pack(SUMS, unpack(totals.counted, 1, 9)) .. totals.cursor end
  return packed
end

-- Adds what a project's tree changes by to the totals.
local function add_to_totals(totals, project, tree)
  local delta = {0, 0, 0, 0, 0, 0, 0, 0}
  for _, node in ipairs(tree.touched[TOP]) do
    for _, of_user in pairs(node.deltas) do
      for i = 1, 8 do delta[i] = delta[i] + of_user[i] end
    end
  end
  totals.is_changed = true
  if totals.state == KNOWN then add_sums(totals.sums, delta) end
  if totals.counted and not greater(project, totals.cursor) then add_sums(totals.counted, delta) end
end

-- Marks totals that change before anything else that is counted does: a script that ends in part leaves them unknown.
local function mark_totals(totals)
  if totals and totals.is_changed and not totals.is_new then call('SETRANGE', totals_key, 0, string.char(UNKNOWN)) end
end

local function write_totals(totals)
  if totals and (totals.is_changed or totals.is_new) then call('SET', totals_key, pack_totals(totals)) end
end
