-- The fence: nothing is applied unless Redis is exactly where the writer believes it to be.

local head = call('GET', KEYS[1]) or ''

-- layout, partitions, generation, gaps, horizon; then per partition the next offset and the watermark
local HEAD, HEAD_BYTES = '<I4I4I4I4I8', 24

-- The ledger of gaps: partition, first offset that was never read, offset after the last, time of the finding, reason.
local GAP, GAP_BYTES, MOST_GAPS, SEVERAL = '<I4I8I8I8B', 29, 256, 255

-- A gap goes on where the last one of its partition ends, or where there is no room for another row; the row then
-- covers offsets that were read, too, and says so.
local function joined(row, partition, from, to, time, reason, is_full)
  local _, last_from, last_to, _, last_reason = unpack_s(GAP, row)
  if last_to == from and last_reason == reason then return pack(GAP, partition, last_from, to, time, reason) end
  return is_full and pack(GAP, partition, math.min(last_from, from), math.max(last_to, to), time, SEVERAL)
end

local function with_gaps(ledger, added)
  for at = 1, #added, GAP_BYTES do
    local partition, from, to, time, reason = unpack_s(GAP, added, at)
    local last
    for position = 1, #ledger, GAP_BYTES do
      if unpack_s('<I4', ledger, position) == partition then last = position end
    end
    local is_full = #ledger >= MOST_GAPS * GAP_BYTES
    local row = last and joined(sub(ledger, last, last + GAP_BYTES - 1), partition, from, to, time, reason, is_full)
    if row then
      ledger = sub(ledger, 1, last - 1) .. row .. sub(ledger, last + GAP_BYTES)
    else
      ledger = ledger .. sub(added, at, at + GAP_BYTES - 1)
    end
  end
  return ledger
end

local ledger = #ARGV[4] > 0 and with_gaps(call('GET', PREFIX .. 'gaps') or '', ARGV[4])

-- The oldest watermark. No partition that the topic gets later holds anything older: the writer has made sure of the
-- number of partitions after that instant.
local function as_of(partitions)
  local oldest
  for at = HEAD_BYTES + 9, HEAD_BYTES + 16 * partitions, 16 do
    oldest = math.min(oldest or math.huge, (unpack_s('<I8', head, at)))
  end
  return oldest or 0
end

local function advance_head()
  local _, known, generation, gaps, horizon = 0, 0, 0, 0, 0
  if #head > 0 then _, known, generation, gaps, horizon = unpack_s(HEAD, head) end
  if generation ~= GENERATION then return false end
  HORIZON = math.max(HORIZON, horizon)
  local partitions = math.max(known, PARTITIONS)
  if #head == 0 then head = string.rep('\0', HEAD_BYTES) end
  if partitions > known then head = head .. string.rep(pack('<I8I8', 0, as_of(known)), partitions - known) end
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
  if ledger then gaps = #ledger / GAP_BYTES end
  local first = pack(HEAD, tonumber(ARGV[1]), partitions, generation, gaps, HORIZON)
  return first .. table.concat(parts)
end
