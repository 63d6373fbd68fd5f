-- Job records: the latest version of each job and what it contributes, in small hashes ":j:<number>" whose number
-- grows by linear hashing (Litwin, 1980). A record: sequence 4, event time 7, start 7, size 7, user key 6, status 1.

local RECORD = '<I4I7'

local function hash_number(hash, hashes)
  local power = 1
  while power * 2 <= hashes do power = power * 2 end
  local number = hash % (power * 2)
  if number >= hashes then number = hash % power end
  return number
end

local function hash_of(job)
  local first, _, last = unpack_s('<I4c8I4', job)
  local x = bxor(first, last)
  return bxor(x, rshift(x, 16)) % WORD
end

-- Applies the jobs of one project to their records and to the tree; returns how many records are new and changed.
local function apply_jobs(tree, jobs, hashes)
  local prefix, fresh, changed = tree.prefix .. 'j:', 0, 0
  local power = 1
  while power * 2 <= hashes do power = power * 2 end
  for at = 1, #jobs, 52 do
    local job, hash, sequence, time = unpack_s('<c16I4I4I7', jobs, at)
    local number = hash % (power * 2)
    if number >= hashes then number = hash % power end
    local key = prefix .. number
    local old = call('HGET', key, job)
    local status = byte(jobs, at + 51)
    local newer, old_entry = true, nil
    if old then
      local old_sequence, old_time = unpack_s(RECORD, old)
      local old_status = byte(old, 32)
      if sequence ~= old_sequence then newer = sequence > old_sequence
      elseif time ~= old_time then newer = time > old_time
      else newer = status > old_status end
      if old_status ~= DELETED then old_entry = sub(old, 12, 32) end
    else
      fresh = fresh + 1
    end
    if newer then
      changed = changed + 1
      write_hash(key, job, sub(jobs, at + 20, at + 51))
      local new_entry = status ~= DELETED and sub(jobs, at + 31, at + 51) or nil
      if old_entry ~= new_entry then change(tree, old_entry, new_entry) end
    end
  end
  return fresh, changed
end

-- Raises where a hash that will split, or its new half, is not a hash.
local function check_growth(prefix, hashes, records)
  while records > hashes * HASH_JOBS do
    local power = 1
    while power * 2 <= hashes do power = power * 2 end
    call('HLEN', prefix .. 'j:' .. (hashes - power))
    call('HLEN', prefix .. 'j:' .. hashes)
    hashes = hashes + 1
  end
end

-- Splits hashes until they hold HASH_JOBS records on average; runs after the records are written.
local function grow_hashes(prefix, hashes, records)
  while records > hashes * HASH_JOBS do
    local power = 1
    while power * 2 <= hashes do power = power * 2 end
    local source, target = prefix .. 'j:' .. (hashes - power), prefix .. 'j:' .. hashes
    hashes = hashes + 1
    local moved, gone = {}, {}
    local all = call('HGETALL', source)
    for i = 1, #all, 2 do
      if hash_number(hash_of(all[i]), hashes) == hashes - 1 then
        moved[#moved + 1], moved[#moved + 2] = all[i], all[i + 1]
        gone[#gone + 1] = all[i]
      end
    end
    -- unpack() has a limit, and ids chosen with care could crowd one hash
    for i = 1, #gone, 1000 do
      call('HSET', target, unpack(moved, 2 * i - 1, math.min(2 * i + 1998, #moved)))
      call('HDEL', source, unpack(gone, i, math.min(i + 999, #gone)))
    end
  end
  return hashes
end
