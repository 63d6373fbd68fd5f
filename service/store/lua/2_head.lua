-- The fence: nothing is applied unless Redis is exactly where the writer believes it to be.

local head = call('GET', KEYS[1]) or ''

local function advance_head()
  local known = #head > 0 and unpack_s('<I4', head, 5) or 0
  local partitions = unpack_s('<I4', ARGV[3])
  if known > partitions then partitions = known end
  if #head < 8 + 16 * partitions then head = head .. string.rep('\0', 8 + 16 * partitions - #head) end
  local parts, from = {pack('<I4I4', tonumber(ARGV[1]), partitions)}, 9
  for at = 5, #ARGV[3], 28 do
    local partition, expected, next_offset, watermark = unpack_s('<I4I8I8I8', ARGV[3], at)
    local position = 9 + 16 * partition
    local stored, stored_watermark = unpack_s('<I8I8', head, position)
    if stored ~= expected then return false end
    if stored_watermark > watermark then watermark = stored_watermark end
    parts[#parts + 1] = sub(head, from, position - 1)
    parts[#parts + 1] = pack('<I8I8', next_offset, watermark)
    from = position + 16
  end
  parts[#parts + 1] = sub(head, from)
  return table.concat(parts)
end
