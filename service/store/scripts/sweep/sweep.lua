-- Takes the jobs that start before the horizon out of some record hashes of a project.
--
-- ARGV[5]  number of the first record hash, and of the one after the last
--
-- Returns 'ok', the number of records taken out, and the number of record hashes; or 'refused' and why, if there is
-- drift.

local tree, leaving, removed = new_tree(project), {}, 0

-- Tells whether a record may go. That of a deleted job whose start was never known stays: its start is 0.
local function may_go(record)
  local start = unpack_s('<I7', record, 12)
  return start < HORIZON and (start > 0 or byte(record, 32) ~= DELETED)
end

local function sweep_hash(number)
  local all, fields = call('HGETALL', project .. 'j:' .. number), {}
  for i = 1, #all, 2 do
    local record = all[i + 1]
    if may_go(record) then
      if byte(record, 32) ~= DELETED then remove_entry(tree, sub(record, 12, 32)) end
      fields[#fields + 1] = all[i]
    end
  end
  removed = removed + #fields
  leaving[number] = fields
end

local totals = layout >= TOTALS_LAYOUT and read_totals() or nil
local ok, problem = pcall(function()
  local first, last = unpack_s('<I4I4', ARGV[5])
  for number = first, math.min(last, hashes) - 1 do sweep_hash(number) end
  apply_tree(tree)
end)
if not ok then return {'refused', problem} end
if removed > 0 then
  -- The mark comes with the new number of records: a mend that finds fewer records than that knows that some are lost.
  local left = math.max(0, records - removed)
  call('SET', project .. 'm', sub(meta, 1, 24) .. pack('<I8I4I4', left, hashes, hashes))
  if totals then add_to_totals(totals, ARGV[4], tree) end
  mark_totals(totals)
  for i = 1, #set_key do call('SET', set_key[i], set_value[i]) end
  for i = 1, #range_key do call('SETRANGE', range_key[i], range_at[i], range_value[i]) end
  for number, fields in pairs(leaving) do call_many('HDEL', project .. 'j:' .. number, fields) end
  write_totals(totals)
  write_meta(shape_id, left)
end
return {'ok', removed, hashes}
