-- Carries out commands that need no check, so that they, too, come to a server only once its log is whole.
--
-- KEYS     the keys of the commands
-- ARGV     of each command the number of its words, and these
--
-- Returns the reply to the last one.

local at, reply = 1, nil
while at <= #ARGV do
  local words = tonumber(ARGV[at])
  reply = redis.call(unpack(ARGV, at + 1, at + words))
  at = at + 1 + words
end
return reply
