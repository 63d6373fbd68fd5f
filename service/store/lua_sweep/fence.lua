-- What all scripts of a sweep begin with.
--
-- KEYS[1]  the stripe's head
-- ARGV[1]  layout version
-- ARGV[2]  id of this write, 8 random bytes
-- ARGV[3]  0, generation expected, horizon
--
-- They return a word first: 'fenced' if the head is another. Nothing is written but by 'ok'.

local function is_expected()
  local head = call('GET', KEYS[1])
  if not head or unpack_s('<I4', head) ~= tonumber(ARGV[1]) then return false end
  local _, _, generation, _, horizon = unpack_s('<I4I4I4I4I8', head)
  return generation == GENERATION and horizon >= HORIZON
end

if not is_expected() then return {'fenced'} end
