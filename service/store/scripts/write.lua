-- Runs commands that need no check. They are in a script so that they, too, reach a server through the gate alone.
--
-- KEYS     the keys of the commands
-- ARGV     of each command the number of its words, and the words
--
-- Returns the reply to the last command.

local at, reply = 1, nil
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  reply = redis.call(unpack(ARGV, at + 1, at + words))
  at = at + 1 + words
end
return reply
