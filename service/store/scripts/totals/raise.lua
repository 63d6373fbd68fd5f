-- Gives a stripe of an older layout totals, and begins to count them. It comes after sweep/fence.lua.
--
-- Returns 'ok', and 1, or 0 if the stripe has the layout already. The head comes last: from then on processes that do
-- not know the layout no longer write.

if layout >= TOTALS_LAYOUT then return {'ok', 0} end
call('SET', totals_key, pack_totals({state = COUNTING, sums = no_sums(), counted = no_sums(), cursor = ''}))
call('SETRANGE', KEYS[1], 0, pack('<I4', TOTALS_LAYOUT))
return {'ok', 1}
