-- Runs commands that need no check. They are in a script so that they, too, reach a server through the gate alone.
--
-- KEYS     the keys of the commands
-- ARGV     of each command, in the order of the keys, the number of its words without the key, and these words
--
-- Returns the reply to the last command.

local at, reply = 1, nil
for _, key in ipairs(KEYS) do
  local words = tonumber(ARGV[at])
  reply = redis.call(ARGV[at + 1], key, unpack(ARGV, at + 2, at + words))
  at = at + 1 + words
end
return reply
