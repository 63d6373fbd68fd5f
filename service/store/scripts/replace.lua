-- Replaces what an audit has found wrong in a project, if nobody has written the project since it was looked at.
--
-- KEYS[1]  the stripe's head
-- KEYS[2]  the project's meta; the keys of the commands have the same hash tag
-- ARGV[1]  layout version and generation, as they stand in the head
-- ARGV[2]  the meta expected, "" where there is none
-- ARGV[3]  the meta while this is done: the one to be, marked as being written
-- ARGV[4]  the meta to be
-- ARGV[5]  then the commands: of each the number of its words, and these
--
-- Returns 1, or 0 if something else is there than expected and nothing was written. The mark comes first: its SET is
-- refused where memory is used up, and then nothing has been written yet.

check_slot()
local head = redis.call('GET', KEYS[1])
if head and string.sub(head, 1, 4) .. string.sub(head, 9, 12) ~= ARGV[1] then return 0 end
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[3])
local at = 5
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, at + words))
  at = at + 1 + words
end
redis.call('SET', KEYS[2], ARGV[4])
return 1
