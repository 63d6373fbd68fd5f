-- What all scripts begin with: shorthands, and how a head begins.

local call, floor = redis.call, math.floor
local sub, find, byte = string.sub, string.find, string.byte
local pack, unpack_s = struct.pack, struct.unpack
local bxor, rshift = bit.bxor, bit.rshift

-- layout, partitions, generation, gaps, horizon, id of the write that last moved the head, id of the topic; then per
-- partition the next offset and the watermark
local HEAD, HEAD_BYTES, MOVED_AT = '<I4I4I4I4I8c8c16', 48, 25
