-- Counts some projects: adds what their topmost nodes hold to the count of the stripe's totals. Begins a count if none is
-- under way. It comes after sweep/fence.lua. From then on writes keep the count right for the projects up to the cursor.
--
-- ARGV[4]  number of projects in the stripe's list when the caller read it
-- ARGV[5]  the cursor as the caller knows it
-- ARGV[6]  and further: ids of that list from behind this cursor on, ascending, without a gap; those up to the cursor that
--          there is by now are passed over
--
-- Returns 'ok', the cursor, and whether the list still has so many projects (1 or 0); or 'refused', a project and why it
-- cannot be counted, and has written nothing. A call counts one project at least, and no more once it has read BYTES of
-- nodes. It counts none if the cursor has gone back: somebody has ended the count that the caller knows, or has given it
-- up, and those before the ids of the caller are still to be counted.

local BYTES = 131072
local projects_key = PREFIX .. 'projects'

-- Adds what a node holds to sums.
local function add_node(sums, items)
  local is_leaf = byte(items) == 76
  local width = is_leaf and ENTRY or width_of(items)
  if not find(items, '^[LrR]') or (#items - 1) % width > 0 then error({err = 'FAULT a topmost node is none'}) end
  for at = 2, #items, width do
    local delta
    if is_leaf then
      local lo, hi, _, status = unpack_s('<I4I3c6B', items, at + 7)
      if status > 5 then error({err = 'FAULT a topmost node has a job of no status'}) end
      delta = {0, 0, 0, 0, 0, 0, lo, hi}
      delta[status + 1] = 1
    else
      delta = {select(2, unpack_s(FORMATS[width], items, at))}
    end
    add_sums(sums, delta)
  end
end

-- Returns the sums of a project, and the bytes of the nodes that were read for them.
local function count_project(id)
  local prefix, sums, bytes, seen = PREFIX .. id .. ':', no_sums(), 0, {}
  local meta = call('GET', prefix .. 'm')
  if not meta or #meta ~= META_BYTES then error({err = 'FAULT the meta of the project is none'}) end
  check_mark(unpack_s('<I4', meta, MARK_AT + 1))
  local shape = call('GET', prefix .. 's') or ''
  for at = 1, #shape, 8 do
    local level, index = unpack_s('<BI7', shape, at)
    if level % 128 == TOP and not seen[index] then
      seen[index] = true
      local items = call('GET', prefix .. 'n:' .. TOP .. ':' .. string.format('%d', index))
      if not items then error({err = 'FAULT a topmost node is not there'}) end
      add_node(sums, items)
      bytes = bytes + #items
    end
  end
  return sums, bytes
end

-- Returns the ids of all projects from behind the cursor up to `last`, in no order.
local function listed(cursor, last)
  local found = {}
  for _, id in ipairs(call('SMEMBERS', projects_key)) do
    if greater(id, cursor) and not greater(id, last) then found[#found + 1] = id end
  end
  return found
end

if layout < TOTALS_LAYOUT then return {'fenced'} end  -- the stripe was taken back to the layout without totals
local totals = read_totals() or {state = COUNTING, sums = no_sums()}
if not totals.counted then totals.counted, totals.cursor = no_sums(), '' end
local is_current = call('SCARD', projects_key) == tonumber(ARGV[4])
if greater(ARGV[5], totals.cursor) then return {'ok', totals.cursor, is_current and 1 or 0} end
local waiting = {}
for i = 6, #ARGV do
  if greater(ARGV[i], totals.cursor) then waiting[#waiting + 1] = ARGV[i] end
end
local cursor = waiting[#waiting]
if not is_current and cursor then  -- there may be others between those that the caller knows
  cursor = waiting[1]
  waiting = listed(totals.cursor, cursor)
end
local bytes = 0
for _, id in ipairs(waiting) do
  local ok, sums, more = pcall(count_project, id)
  if not ok then return {'refused', id, sums} end
  join_sums(totals.counted, sums)
  bytes = bytes + more
  if bytes >= BYTES and is_current then
    cursor = id
    break
  end
end
totals.cursor, totals.is_changed = cursor or totals.cursor, true
write_totals(totals)
return {'ok', totals.cursor, is_current and 1 or 0}
