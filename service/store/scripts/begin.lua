-- Makes the head of a new generation, and totals of zeros beside it if the stripe's layout has totals.
--
-- KEYS[1]  the stripe's head
-- KEYS[2]  the head of the new generation
-- KEYS[3]  the totals of the new generation
-- ARGV[1]  the head to be made, with the layout version of a live head that is not there
-- ARGV[2]  totals of zeros
--
-- The new head gets the layout version that the live one has at this instant: `upgrade` or `downgrade` may have been
-- here since the caller looked. A head that is there stays as it is.

local live = call('GET', KEYS[1]) or ARGV[1]
local layout = unpack_s('<I4', live)
if not is_known_layout(layout) or call('EXISTS', KEYS[2]) == 1 then return 0 end
if layout >= TOTALS_LAYOUT then call('SET', KEYS[3], ARGV[2]) end
call('SET', KEYS[2], sub(live, 1, 4) .. sub(ARGV[1], 5))
return 1
