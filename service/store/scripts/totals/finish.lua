-- Ends the count of the stripe's totals, if all projects are counted. It comes after sweep/fence.lua.
--
-- ARGV[4]  1 if what was counted is to take the place of totals that say something else
--
-- Returns 'none' if no count is under way; 'more' if there are projects behind the cursor; or 'ok', what was counted,
-- and what the totals said ('' if they were not known).

local totals = read_totals()
if not totals or not totals.counted then return {'none'} end
for _, id in ipairs(call('SMEMBERS', PREFIX .. 'projects')) do
  if greater(id, totals.cursor) then return {'more'} end
end
local counted = pack(SUMS, unpack(totals.counted, 1, 9))
local said = totals.state == KNOWN and pack(SUMS, unpack(totals.sums, 1, 9)) or ''
if totals.state == COUNTING or ARGV[4] == '1' then totals.sums = totals.counted end
totals.state, totals.counted, totals.is_changed = KNOWN, nil, true
write_totals(totals)
return {'ok', counted, said}
