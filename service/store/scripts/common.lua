-- The beginning of every script: shorthands, and the format of the first bytes of a head.

local call, floor = redis.call, math.floor
local sub, find, byte = string.sub, string.find, string.byte
local pack, unpack_s = struct.pack, struct.unpack
local bxor, rshift = bit.bxor, bit.rshift

-- layout, partitions, generation, gaps, horizon, id of the write that last moved the head, id of the topic; then per
-- partition the next offset and the watermark
local HEAD, HEAD_BYTES, MOVED_AT = '<I4I4I4I4I8c8c16', 48, 25

-- Raises TRYAGAIN if the stripe's slot is being moved to another server: nothing of a project is read or written then,
-- as some of its keys are on either server. On the server that gives the slot away a script could end in part. On the
-- one that gets it a key that is still to come looks like one that never was. Two keys that nobody ever writes tell: in
-- such a slot Redis refuses a command for several keys if some are missing. The client repeats the script for a while.
local function check_slot()
  local tag = sub(KEYS[1], 1, find(KEYS[1], '}', 1, true))
  local is_whole = pcall(call, 'MGET', tag .. '-', tag .. '--')
  if not is_whole then error({err = 'TRYAGAIN the slot of ' .. tag .. ' is being moved'}) end
end
