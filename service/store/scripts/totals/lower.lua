-- Takes a stripe back to the layout without totals. It comes after sweep/fence.lua.
--
-- Returns 'ok', and 1, or 0 if the stripe has that layout already. If it ends before the head is written, the totals are
-- not known.

if layout < TOTALS_LAYOUT then return {'ok', 0} end
call('DEL', totals_key)
call('SETRANGE', KEYS[1], 0, pack('<I4', OLDEST_LAYOUT))
return {'ok', 1}
