-- The beginning of every script of a sweep, after the layout: it checks that the head is as the sweeper expects.
--
-- KEYS[1]  the stripe's head
-- ARGV[1]  as for a batch; not used
-- ARGV[2]  id of this write, 8 random bytes
-- ARGV[3]  as for a batch; of it the generation expected and the horizon
--
-- A script of a sweep returns a word first: 'fenced' if the head has another generation or an earlier horizon. A script
-- that returns another word than 'ok' has written nothing.

check_slot()

local head = call('GET', KEYS[1])
local layout = head and unpack_s('<I4', head) or 0

local function is_expected()
  if not is_known_layout(layout) then return false end
  local _, _, generation, _, horizon = unpack_s(HEAD, head)
  return generation == GENERATION and horizon >= HORIZON
end

if not is_expected() then return {'fenced'} end
