-- Deletes keys of a retired generation; nothing if it is not retired (any more): Redis may have gone back to when it
-- was the live one.
--
-- KEYS[1]   the stripe's set of retired generations; then the keys to be deleted
-- ARGV[1]   the generation
--
-- Returns the number of keys deleted.

if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return 0 end
return redis.call('UNLINK', unpack(KEYS, 2))
