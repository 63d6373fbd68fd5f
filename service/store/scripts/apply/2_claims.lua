-- Parses claims: what consumers say of the watermarks of a stripe whose head did not move. A claim is watermark 8,
-- number of bytes that follow 2, then one bit for each partition that it is of, the lowest first.
local CLAIM, CLAIM_BYTES = '<I8I2', 10

-- Calls `visit` with the watermark, the bits and the position of each claim. A claim that is cut short is none, and
-- neither is what follows it.
local function each_claim(claims, visit)
  local at = 1
  while at + CLAIM_BYTES - 1 <= #claims do
    local watermark, bytes = unpack_s(CLAIM, claims, at)
    if at + CLAIM_BYTES + bytes - 1 > #claims then return end
    visit(watermark, sub(claims, at + CLAIM_BYTES, at + CLAIM_BYTES - 1 + bytes), at)
    at = at + CLAIM_BYTES + bytes
  end
end

-- Returns by partition the latest watermark that is claimed of it.
local function claimed_watermarks(claims, partitions)
  local watermarks = {}
  each_claim(claims, function(watermark, bits)
    for partition = 0, math.min(partitions, 8 * #bits) - 1 do
      if bit.band(byte(bits, floor(partition / 8) + 1), 2 ^ (partition % 8)) > 0 then
        watermarks[partition] = math.max(watermarks[partition] or 0, watermark)
      end
    end
  end)
  return watermarks
end
