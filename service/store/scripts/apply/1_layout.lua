-- Applies one batch to one stripe, wholly or not at all. service/store/write/writer.py calls it. The files of this
-- folder are joined in the order of their names into one script; docs/store.md describes the layout of every string.
--
-- KEYS[1]  the stripe's head, "{s07}:head"; every other key is derived from its hash tag and the generation
-- ARGV[1]  layout version of a head that is made anew; a stored head keeps its own
-- ARGV[2]  id of this write, 8 random bytes
-- ARGV[3]  number of the topic's partitions, generation expected, horizon, the writer's time (0: not given), id of the
--          topic, whether the head is to become one of that topic (1) or must be one (0); then per partition: number,
--          offset expected, next offset, watermark
-- ARGV[4]  rows for the ledger of gaps
-- ARGV[5]  then per project three arguments: project id, users, jobs
--
-- Returns 'ok', the number of records changed, the id of the write that last moved the head, and by status how many
-- jobs came into it (4 bytes each); 'fenced' and the head; 'layout' and the stored version; or 'refused', the project
-- id and the reason.
--
-- The script reads and checks everything before its first write, and its first writes mark the projects that it is
-- going to change: Redis does not roll a script back.

local PARTITIONS, GENERATION, HORIZON, NOW, TOPIC, ADOPTS, STEPS = unpack_s('<I4I4I8I8c16B', ARGV[3])
ADOPTS = ADOPTS == 1
local PREFIX = sub(KEYS[1], 1, find(KEYS[1], '}', 1, true)) .. (GENERATION > 0 and GENERATION or '') .. ':'
local FRESH = sub(KEYS[1], 1, find(KEYS[1], '}', 1, true)) .. ':fresh'
local WRITE_ID = ARGV[2]
local WORD = 4294967296

local DELETED = 7        -- the status of a deleted job's record: it counts nowhere
local LEAF_JOBS = 128    -- a leaf with more jobs splits
local HASH_JOBS = 24     -- records that a record hash holds on average, at most
local ENTRY = 21         -- bytes of an entry: start, size, user key, status
local NARROW, WIDE = 19, 40  -- bytes of a row: user key, six counts, sum of bytes (lo, hi)
local NAME = 19          -- bytes of a naming: user key, event time, digest of id and name
local TOP = 42           -- level of the topmost nodes; they cover all time side by side
local LISTED = 36        -- nodes of this level and above may be far apart: the shape lists all that are there
-- by the level of a node the level of its children
local CHILD = {[42]=36, [36]=33, [33]=30, [30]=27, [27]=24, [24]=21, [21]=18, [18]=15, [15]=12, [12]=9, [9]=6,
               [6]=3, [3]=0}
local PARENT = {}
local WIDTH = {}
for level, child in pairs(CHILD) do PARENT[child] = level; WIDTH[level] = 2 ^ level end
WIDTH[0] = 1

-- A project's meta: write id, shape id, names id, number of records, number of record hashes, and the mark: the number
-- of record hashes that an unfinished write was going to have, or 0.
local META, META_BYTES, MARK_AT = '<c8c8c8I8I4I4', 40, 36

-- Marks a project before it is written; the write of its new meta takes the mark away.
local function mark(prefix, meta, hashes)
  if meta then
    call('SETRANGE', prefix .. 'm', MARK_AT, pack('<I4', hashes))
  else
    call('SET', prefix .. 'm', pack(META, WRITE_ID, WRITE_ID, WRITE_ID, 0, 1, hashes))
  end
end

-- Refuses a marked project. As with DRIFT and WRONGTYPE the store is at fault, and the consumer mends the project.
local function check_mark(unfinished)
  if unfinished > 0 then error({err = 'MARKED a write of the project ended in part'}) end
end

-- The writes of hashes, ranges and strings are collected here, and carried out at the end of the script.
local hset_key, hset_field, hset_value = {}, {}, {}
local range_key, range_at, range_value = {}, {}, {}
local set_key, set_value = {}, {}

local function write_hash(key, field, value)
  local n = #hset_key + 1
  hset_key[n], hset_field[n], hset_value[n] = key, field, value
end
local function write_range(key, at, value)
  local n = #range_key + 1
  range_key[n], range_at[n], range_value[n] = key, at, value
end
local function write_string(key, value)
  local n = #set_key + 1
  set_key[n], set_value[n] = key, value
end

-- Returns the position (1-based) of the fixed-width item that begins with the 6-byte user key, or nil and the index
-- (0-based) where such an item belongs. Items are sorted by their key as a number. Keys are digests and so spread
-- evenly: the search interpolates, and halves at every other probe for the case that they are not.
local function search(items, offset, width, key)
  local number = unpack_s('<I6', key)
  local lo, hi = 0, floor((#items - offset) / width) - 1
  local lo_number, hi_number, halve = 0, 281474976710656, false
  while lo <= hi do
    local share = halve and 0.5 or (number - lo_number) / (hi_number - lo_number)
    local middle = lo + floor((hi - lo) * share)
    local found = unpack_s('<I6', items, offset + middle * width + 1)
    if found == number then return offset + middle * width + 1 end
    if found < number then lo, lo_number = middle + 1, found else hi, hi_number = middle - 1, found end
    halve = not halve
  end
  return nil, lo
end

-- Writes changed items {position, bytes} over their old ones, and inserts fresh items {position, bytes, key as a
-- number} at their positions. It overwrites ranges where few items of a stored string change, else it writes one new
-- string.
local function write_items(key, items, width, changed, fresh, is_stored)
  if is_stored and #fresh == 0 and #changed * 3 * width < #items then
    for _, item in ipairs(changed) do write_range(key, item[1] - 1, item[2]) end
    return
  end
  table.sort(fresh, function(a, b) return a[3] < b[3] end)
  table.sort(changed, function(a, b) return a[1] < b[1] end)
  local parts, from, f, c = {}, 1, 1, 1
  while f <= #fresh or c <= #changed do
    local item, skipped
    if c > #changed or (f <= #fresh and fresh[f][1] <= changed[c][1]) then
      item, skipped, f = fresh[f], 0, f + 1
    else
      item, skipped, c = changed[c], width, c + 1
    end
    parts[#parts + 1] = sub(items, from, item[1] - 1)
    parts[#parts + 1] = item[2]
    from = item[1] + skipped
  end
  if #parts > 0 then write_string(key, table.concat(parts) .. sub(items, from)) end
end
