-- The beginning of every script: shorthands, and the format of the first bytes of a head.

local call, floor = redis.call, math.floor
local sub, find, byte = string.sub, string.find, string.byte
local pack, unpack_s = struct.pack, struct.unpack
local bxor, rshift = bit.bxor, bit.rshift

-- layout, partitions, generation, gaps, horizon, id of the write that last moved the head, id of the topic; then per
-- partition the next offset and the watermark
local HEAD, HEAD_BYTES, MOVED_AT = '<I4I4I4I4I8c8c16', 48, 25

-- The layout versions that these scripts read and write; from TOTALS_LAYOUT on a stripe has totals.
local OLDEST_LAYOUT, TOTALS_LAYOUT = 3, 4
local LAST_LAYOUT = 999  -- no store will ever have a greater one: what says so is no head

local function is_known_layout(layout) return layout >= OLDEST_LAYOUT and layout <= TOTALS_LAYOUT end

-- Tells whether string a is greater than b, byte by byte: Lua's own comparison follows the server's locale.
local function greater(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = byte(a, i), byte(b, i)
    if x ~= y then return x > y end
  end
  return #a > #b
end

-- Raises TRYAGAIN if the stripe's slot is being moved to another server: nothing of a project is read or written then,
-- as some of its keys are on either server. On the server that gives the slot away a script could end in part. On the
-- one that gets it a key that is still to come looks like one that never was. Two keys that nobody ever writes tell: in
-- such a slot Redis refuses a command for several keys if some are missing. The client repeats the script for a while.
local function check_slot()
  local tag = sub(KEYS[1], 1, find(KEYS[1], '}', 1, true))
  local is_whole = pcall(call, 'MGET', tag .. '-', tag .. '--')
  if not is_whole then error({err = 'TRYAGAIN the slot of ' .. tag .. ' is being moved'}) end
end
