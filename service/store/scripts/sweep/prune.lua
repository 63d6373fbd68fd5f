-- Deletes nodes of a project that hold nothing any more, and takes them out of its shape.
--
-- ARGV[5]  the shape id expected
-- ARGV[6]  the shape without the nodes
-- ARGV[7]  and further: the nodes, as "level:index"
--
-- Returns 'ok' and the shape id that the project has then; 'changed' if it has another than expected; or 'full' and
-- those of the nodes that do hold something.

local function is_empty(items)
  if not items or #items == 1 then return true end
  if byte(items) == 76 then return false end
  local width = width_of(items)
  for at = 2, #items, width do
    if find(sub(items, at + 6, at + width - 1), '[^%z]') then return false end
  end
  return true
end

if shape_id ~= ARGV[5] then return {'changed'} end
local keys, full = {}, {'full'}
for i = 7, #ARGV do
  local key = project .. 'n:' .. ARGV[i]
  local items = redis.pcall('GET', key)
  if type(items) == 'table' then items = 'L' .. items.err end  -- a value of another type is left for a repair
  if items then keys[#keys + 1] = key end
  if not is_empty(items) then full[#full + 1] = ARGV[i] end
end
if #full > 1 then return full end
if #keys > 0 or #ARGV[6] ~= call('STRLEN', project .. 's') then
  mark(project, meta, hashes)
  for _, key in ipairs(keys) do call('DEL', key) end
  if #ARGV[6] > 0 then call('SET', project .. 's', ARGV[6]) else call('DEL', project .. 's') end
  write_meta(WRITE_ID, records)
  return {'ok', WRITE_ID}
end
return {'ok', shape_id}
