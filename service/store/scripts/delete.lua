-- Deletes keys of a retired generation. It deletes nothing if the generation is not retired (any more), or is live:
-- Redis may have gone back in time.
--
-- KEYS[1]   the stripe's set of retired generations
-- KEYS[2]   the stripe's head
-- KEYS[3]   and further: the keys to be deleted
-- ARGV[1]   the generation
--
-- Returns the number of keys deleted.

if call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return 0 end
local head = call('GET', KEYS[2])
if head and unpack_s('<I4', head, 9) == tonumber(ARGV[1]) then return 0 end
return call('UNLINK', unpack(KEYS, 3))
