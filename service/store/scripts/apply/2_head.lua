-- The head, the fence and the ledger of gaps. The fence: nothing is applied unless the head has the generation, the
-- topic and the offsets that the writer expects.

local head = call('GET', KEYS[1]) or ''
local old_head_bytes = #head
local layout = #head > 0 and unpack_s('<I4', head) or tonumber(ARGV[1])

local NO_TOPIC = string.rep('\0', 16)
local RANGE_BYTES = 60   -- bytes that a SETRANGE adds to the append-only file beside its value

-- The ledger of gaps: partition, first offset that was never read, offset after the last, time of the finding, reason.
local GAP, GAP_BYTES, MOST_GAPS, SEVERAL = '<I4I8I8I8B', 29, 256, 255

-- Returns the row of a partition's last gap joined with a new gap, or false if that must have a row of its own. A gap
-- that begins where the row ends makes it longer. Where the ledger is full, the row is widened; it then covers offsets
-- that were read, too, and its reason says so. A gap that is in the row already came from a call that ended in part.
local function joined(row, partition, from, to, time, reason, is_full)
  local _, last_from, last_to, _, last_reason = unpack_s(GAP, row)
  if last_from <= from and last_to == to then return row end
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

-- Returns the least watermark of the partitions, by head and claims. Partitions that the topic gets later begin with
-- it: they hold no older event, as the writer has asked for the number of partitions after that instant.
local function as_of(partitions)
  local watermarks = claimed_watermarks(call('GET', FRESH) or '', partitions)
  local oldest
  for partition = 0, partitions - 1 do
    local stored = unpack_s('<I8', head, HEAD_BYTES + 16 * partition + 9)
    oldest = math.min(oldest or math.huge, math.max(stored, watermarks[partition] or 0))
  end
  return oldest or 0
end

-- Returns what the head becomes: its first bytes, per partition that changes the position and the new bytes, and the id
-- of the last move. Returns false if the head is not as the writer expects it.
local function advance_head()
  local _, known, generation, gaps, horizon, moved, topic = 0, 0, 0, 0, 0, WRITE_ID, NO_TOPIC
  if #head > 0 then _, known, generation, gaps, horizon, moved, topic = unpack_s(HEAD, head) end
  if generation ~= GENERATION then return false end
  if topic == NO_TOPIC then topic = TOPIC elseif TOPIC == NO_TOPIC then TOPIC = topic end
  if ADOPTS then
    if topic == TOPIC and (TOPIC ~= NO_TOPIC or PARTITIONS >= known) then return false end  -- somebody has done so
  elseif topic ~= TOPIC then
    return false
  end
  local old_horizon = horizon
  HORIZON = math.max(HORIZON, horizon)
  local partitions = ADOPTS and PARTITIONS or math.max(known, PARTITIONS)
  if #head == 0 then head = string.rep('\0', HEAD_BYTES) end
  if ADOPTS then
    head = sub(head, 1, HEAD_BYTES) .. string.rep(pack('<I8I8', 0, as_of(known)), partitions)
  elseif partitions > known then
    head = head .. string.rep(pack('<I8I8', 0, as_of(known)), partitions - known)
  end
  local steps, moves = {}, ADOPTS or ledger or HORIZON ~= old_horizon or partitions ~= known or #ARGV > 4
  for at = STEPS, #ARGV[3], 28 do
    local partition, expected, next_offset, watermark = unpack_s('<I4I8I8I8', ARGV[3], at)
    local position = HEAD_BYTES + 1 + 16 * partition
    local stored, stored_watermark = unpack_s('<I8I8', head, position)
    if stored ~= expected then return false end
    if NOW > 0 then stored_watermark = math.min(stored_watermark, NOW) end
    watermark = math.max(watermark, stored_watermark)
    if next_offset ~= stored then moves = true end
    steps[#steps + 1] = {position, pack('<I8I8', next_offset, watermark)}
  end
  if moves then moved = WRITE_ID end
  if ledger then gaps = #ledger / GAP_BYTES end
  local first = pack(HEAD, layout, partitions, generation, gaps, HORIZON, moved, TOPIC)
  return {first = first, steps = steps, moved = moved}
end

-- Writes the steps of the partitions and, last of all, the first bytes of the head.
local function write_head(new)
  if not ADOPTS and #head == old_head_bytes and #new.steps * RANGE_BYTES < #head - HEAD_BYTES then
    for _, step in ipairs(new.steps) do call('SETRANGE', KEYS[1], step[1] - 1, step[2]) end
    call('SETRANGE', KEYS[1], 0, new.first)
    return
  end
  local parts, from = {new.first}, HEAD_BYTES + 1
  for _, step in ipairs(new.steps) do
    parts[#parts + 1] = sub(head, from, step[1] - 1)
    parts[#parts + 1] = step[2]
    from = step[1] + 16
  end
  parts[#parts + 1] = sub(head, from)
  call('SET', KEYS[1], table.concat(parts))
end
