-- The fence: nothing is applied unless Redis is exactly where the writer believes it to be.

local head = call('GET', KEYS[1]) or ''

-- layout, partitions, generation, gaps, horizon; then per partition the next offset and the watermark
local HEAD, HEAD_BYTES = '<I4I4I4I4I8', 24

local function advance_head()
  local _, known, generation, gaps, horizon = 0, 0, 0, 0, 0
  if #head > 0 then _, known, generation, gaps, horizon = unpack_s(HEAD, head) end
  if generation ~= GENERATION then return false end
  local partitions = math.max(known, PARTITIONS)
  local size = HEAD_BYTES + 16 * partitions
  if #head < size then head = head .. string.rep('\0', size - #head) end
  local parts, from = {}, HEAD_BYTES + 1
  for at = STEPS, #ARGV[3], 28 do
    local partition, expected, next_offset, watermark = unpack_s('<I4I8I8I8', ARGV[3], at)
    local position = HEAD_BYTES + 1 + 16 * partition
    local stored, stored_watermark = unpack_s('<I8I8', head, position)
    if stored ~= expected then return false end
    if stored_watermark > watermark then watermark = stored_watermark end
    parts[#parts + 1] = sub(head, from, position - 1)
    parts[#parts + 1] = pack('<I8I8', next_offset, watermark)
    from = position + 16
  end
  parts[#parts + 1] = sub(head, from)
  local first = pack(HEAD, tonumber(ARGV[1]), partitions, generation, gaps, math.max(horizon, HORIZON))
  return first .. table.concat(parts)
end
