-- Makes a generation that a rebuild has built the live one, in all of the stripes given or in none.
--
-- KEYS     for each stripe three keys of one hash tag: its head, the head of the new generation, the set of
--          retired generations
-- ARGV[1]  layout version of a live head that is not there
-- ARGV[2]  the new generation, whose layout version becomes the stripe's
--
-- Returns 'ok'; 'behind' if the live generation has applied offsets that the new one has not; 'missing' if the new one
-- has no head, or is live already; or 'topic' if the two are of different topics, whose offsets cannot be compared.

local LAYOUT, GENERATION = tonumber(ARGV[1]), tonumber(ARGV[2])
local NOBODY = string.rep('\0', 8)
local NO_TOPIC = NOBODY .. NOBODY

-- Tells whether the new head is at least as far as the live one in each partition.
local function has_caught_up(live, partitions, new)
  for at = HEAD_BYTES + 1, HEAD_BYTES + 16 * partitions, 16 do
    local applied = unpack_s('<I8', live, at)
    if applied > 0 and (at > #new or unpack_s('<I8', new, at) < applied) then return false end
  end
  return true
end

local swaps = {}
for i = 1, #KEYS, 3 do
  local live, new = call('GET', KEYS[i]) or pack(HEAD, LAYOUT, 0, 0, 0, 0, NOBODY, NO_TOPIC), call('GET', KEYS[i + 1])
  local layout = new and unpack_s('<I4', new)
  if not new or not is_known_layout(unpack_s('<I4', live)) or not is_known_layout(layout) then return 'missing' end
  local _, partitions, generation, _, _, _, topic = unpack_s(HEAD, live)
  local _, _, new_generation, gaps, horizon, moved, new_topic = unpack_s(HEAD, new)
  if new_generation ~= GENERATION or generation >= GENERATION then return 'missing' end
  if topic ~= new_topic and topic ~= NO_TOPIC and new_topic ~= NO_TOPIC then return 'topic' end
  if not has_caught_up(live, partitions, new) then return 'behind' end
  -- Offsets and watermarks stay those of the live head: the new generation has all events up to there. Consumers read
  -- again what it has beyond: to apply that again changes nothing, and its dead letters are still to be written.
  local head = pack(HEAD, layout, partitions, GENERATION, gaps, horizon, moved, topic) .. sub(live, HEAD_BYTES + 1)
  swaps[#swaps + 1] = {i, head, generation}
end
-- The former generation is retired before the new one is live: delete.lua deletes nothing of one that is still live.
for _, swap in ipairs(swaps) do call('SADD', KEYS[swap[1] + 2], swap[3]) end
for _, swap in ipairs(swaps) do
  call('SET', KEYS[swap[1]], swap[2])
  call('DEL', KEYS[swap[1] + 1])
end
return 'ok'
