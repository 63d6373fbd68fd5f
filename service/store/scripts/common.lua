-- What all scripts begin with: shorthands, and how a head begins.

local call, floor = redis.call, math.floor
local sub, find, byte = string.sub, string.find, string.byte
local pack, unpack_s = struct.pack, struct.unpack
local bxor, rshift = bit.bxor, bit.rshift

-- layout, partitions, generation, gaps, horizon, id of the write that last moved the head, id of the topic; then per
-- partition the next offset and the watermark
local HEAD, HEAD_BYTES, MOVED_AT = '<I4I4I4I4I8c8c16', 48, 25

-- Nothing of a project is read or written in a slot that is being moved to another server. Some of its keys are here and
-- some are there: where the slot comes from a script may end in part, and where it goes to a key that is still to come
-- looks like one that never was. Two keys that nobody ever writes tell: a command for several keys is refused if some are
-- missing. The client sends the script again for a while, as it does on any other TRYAGAIN.
local function check_slot()
  local tag = sub(KEYS[1], 1, find(KEYS[1], '}', 1, true))
  local is_whole = pcall(call, 'MGET', tag .. '-', tag .. '--')
  if not is_whole then error({err = 'TRYAGAIN the slot of ' .. tag .. ' is being moved'}) end
end
