-- Writes a claim in those stripes whose heads have not moved since the caller looked.
--
-- KEYS     for each stripe its head and its claims; more than one stripe only where Redis stands alone
-- ARGV[1]  the caller's time (0: not given), the watermark, the number of partitions that the topic had then
-- ARGV[2]  one bit for each partition that the claim is of, the lowest first
-- ARGV[3]  for each stripe the id of the write that last moved its head
--
-- Returns the numbers, from 1 on, of the stripes whose head has moved, or lacks partitions: these get no claim.

local NOW, WATERMARK, PARTITIONS = unpack_s('<I8I8I4', ARGV[1])
local BITS = ARGV[2]
if NOW == 0 then NOW = math.huge end

-- Tells whether each partition of a claim is in another one with the same or a later watermark.
local function is_covered(claims, number)
  local claim = claims[number]
  for at = 1, #claim.bits do
    local left = byte(claim.bits, at)
    for other_number, other in ipairs(claims) do
      local is_later = other.watermark > claim.watermark
      if is_later or (other.watermark == claim.watermark and other_number < number) then
        left = bit.band(left, bit.bnot(byte(other.bits, at) or 0))
      end
    end
    if left > 0 then return false end
  end
  return true
end

-- Returns the stored claims with the new one, without those that others cover.
local function with_claim(stored)
  local claims, parts = {{watermark = WATERMARK, bits = BITS}}, {}
  each_claim(stored, function(watermark, bits)
    claims[#claims + 1] = {watermark = math.min(watermark, NOW), bits = bits}
  end)
  for number, claim in ipairs(claims) do
    if not is_covered(claims, number) then
      parts[#parts + 1] = pack(CLAIM, claim.watermark, #claim.bits) .. claim.bits
    end
  end
  return table.concat(parts)
end

local function take_down(key, stored)
  local position, known
  each_claim(stored, function(watermark, bits, at)
    if bits == BITS then position, known = at, watermark end
  end)
  if not position then
    call('SET', key, with_claim(stored))
  elseif math.max(WATERMARK, math.min(known, NOW)) ~= known then
    call('SETRANGE', key, position - 1, pack('<I8', math.max(WATERMARK, math.min(known, NOW))))
  end
end

local strings, moved = call('MGET', unpack(KEYS)), {}
for i = 1, #KEYS, 2 do
  local head, number = strings[i] or '', (i + 1) / 2
  local layout, partitions = 0, 0
  if #head >= HEAD_BYTES then layout, partitions = unpack_s(HEAD, head) end
  local is_ours = is_known_layout(layout) and partitions >= PARTITIONS
  if is_ours and sub(head, MOVED_AT, MOVED_AT + 7) == sub(ARGV[3], 8 * number - 7, 8 * number) then
    take_down(KEYS[i + 1], strings[i + 1] or '')
  else
    moved[#moved + 1] = number
  end
end
return moved
