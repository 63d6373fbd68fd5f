-- What all scripts of a sweep begin with.
--
-- KEYS[1]  the stripe's head
-- ARGV[1]  layout version
-- ARGV[2]  id of this write, 8 random bytes
-- ARGV[3]  as in a batch; of it the generation expected and the horizon
--
-- They return a word first: 'fenced' if the head is another. Nothing is written but by 'ok'.

check_slot()

local function is_expected()
  local head = call('GET', KEYS[1])
  if not head or unpack_s('<I4', head) ~= tonumber(ARGV[1]) then return false end
  local _, _, generation, _, horizon = unpack_s(HEAD, head)
  return generation == GENERATION and horizon >= HORIZON
end

if not is_expected() then return {'fenced'} end
