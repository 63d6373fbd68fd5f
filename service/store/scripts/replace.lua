-- Runs the commands of a repair or of a mend, if nobody has written the project since the caller read it.
--
-- KEYS[1]  the stripe's head
-- KEYS[2]  the project's meta
-- KEYS[3]  the stripe's totals, which are no longer known then: nobody knows by how much the project's part changes
-- KEYS[4]  and further: of each command its key
-- ARGV[1]  generation, as it stands in the head
-- ARGV[2]  the meta expected, "" where there is none
-- ARGV[3]  the meta to write first: the new meta with a mark
-- ARGV[4]  the new meta
-- ARGV[5]  and further: of each command the number of its words without the key, and these words
--
-- Returns 1, or 0 if head or meta is not as expected and nothing was written. The mark comes first: Redis refuses its
-- SET where memory is used up, and then nothing has been written yet.

check_slot()
local head = redis.call('GET', KEYS[1])
if head and not is_known_layout(unpack_s('<I4', head)) then return 0 end
if head and string.sub(head, 9, 12) ~= ARGV[1] then return 0 end
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[3])
local totals_bytes = redis.pcall('STRLEN', KEYS[3])
if type(totals_bytes) == 'number' and totals_bytes > 0 then redis.call('SETRANGE', KEYS[3], 0, '\0') end
local at = 5
for i = 4, #KEYS do
  local words = tonumber(ARGV[at])
  redis.call(ARGV[at + 1], KEYS[i], unpack(ARGV, at + 2, at + words))
  at = at + 1 + words
end
redis.call('SET', KEYS[2], ARGV[4])
return 1
