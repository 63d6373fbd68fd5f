-- Job records: the latest version of each job and what it contributes, in small hashes ":j:<number>" whose number
-- grows by linear hashing (Litwin, 1980).
local RECORD = '<I4I7I7I7I6B'  -- sequence, event time, start, size, user key, status

-- The greatest power of two up to a number.
local function power_up_to(number)
  local power = 1
  while power * 2 <= number do power = power * 2 end
  return power
end

local function hash_number(hash, hashes, power)
  local number = hash % (power * 2)
  return number < hashes and number or hash % power
end

local function hash_of(job)
  local a, b, c, d = unpack_s('>I4I4I4I4', job)
  local x = bxor(a, b, c, d)
  x = bxor(x, rshift(x, 16))
  return bxor(x, rshift(x, 8)) % WORD
end

-- Whether a record is later than another of its job: by sequence, event time and status; then, so that the latest of a
-- set of events does not depend on their order, by start, size and user. A deleted job's is later than any.
local function is_newer(record, old)
  local sequence, time, start, size, user, status = unpack_s(RECORD, record)
  local old_sequence, old_time, old_start, old_size, old_user, old_status = unpack_s(RECORD, old)
  if sequence ~= old_sequence then return sequence > old_sequence end
  if time ~= old_time then return time > old_time end
  if status ~= old_status then return status > old_status end
  if status == DELETED then return false end
  if start ~= old_start then return start > old_start end
  if size ~= old_size then return size > old_size end
  return user > old_user
end

-- Applies the jobs of one project to the tree, and collects their new records: job, hash and record of each, in one
-- list. Returns it with the number of jobs that had no record.
local function apply_jobs(tree, jobs, hashes)
  local prefix, fresh, records = tree.prefix .. 'j:', 0, {}
  local power = power_up_to(hashes)
  for at = 1, #jobs, 52 do
    local job, hash = unpack_s('<c16I4', jobs, at)
    local number = hash_number(hash, hashes, power)
    local old = call('HGET', prefix .. number, job)
    local status, record = byte(jobs, at + 51), sub(jobs, at + 20, at + 51)
    local newer, old_entry = true, nil
    if old then
      newer = is_newer(record, old)
      if byte(old, 32) ~= DELETED then old_entry = sub(old, 12, 32) end
    elseif status ~= DELETED and HORIZON > 0 and unpack_s('<I7', jobs, at + 31) < HORIZON then
      newer = false  -- it counts nowhere, and nothing need be known of it
    else
      fresh = fresh + 1
    end
    if newer then
      local n = #records
      -- of a deleted job the start stays known: once it is before the horizon the record may go
      if old and status == DELETED then record = sub(record, 1, 11) .. sub(old, 12, 18) .. sub(record, 19) end
      records[n + 1], records[n + 2], records[n + 3] = job, hash, record
      local new_entry = status ~= DELETED and sub(jobs, at + 31, at + 51) or nil
      if old_entry ~= new_entry then change(tree, old_entry, new_entry) end
    end
  end
  return records, fresh
end

-- The hashes that keep HASH_JOBS records each on average. A count that is damaged may ask for any number of them: no batch
-- makes many more than its new records fill.
local function grown(hashes, count, fresh)
  return math.max(hashes, math.min(math.ceil(count / HASH_JOBS), hashes + fresh + HASH_JOBS))
end

-- The hash, of so many there were, that holds what belongs into a new one.
local function source_of(number, hashes)
  while number >= hashes do number = number - power_up_to(number) end
  return number
end

-- Plans the splits from so many hashes to more: reads the records of those that split, and returns for each what
-- leaves it, and per target what arrives (fields and values in one list).
local function plan_splits(prefix, hashes, more)
  local sources, gone, arriving, power = {}, {}, {}, power_up_to(more)
  for number = hashes, more - 1 do
    call('HLEN', prefix .. number)
    sources[source_of(number, hashes)] = true
  end
  for source in pairs(sources) do
    local all, leaving = call('HGETALL', prefix .. source), {}
    for i = 1, #all, 2 do
      local number = hash_number(hash_of(all[i]), more, power)
      if number ~= source then
        leaving[#leaving + 1] = all[i]
        local list = arriving[number] or {}
        arriving[number] = list
        list[#list + 1], list[#list + 2] = all[i], all[i + 1]
      end
    end
    gone[source] = leaving
  end
  return gone, arriving
end

-- unpack() has a limit, and ids chosen with care could crowd one hash
local function call_many(command, key, arguments)
  for i = 1, #arguments, 1000 do call(command, key, unpack(arguments, i, math.min(i + 999, #arguments))) end
end

-- A record comes to its new hash before it leaves the old one, so that none is ever nowhere.
local function write_records(prefix, plan)
  for number, list in pairs(plan.arriving) do call_many('HSET', prefix .. number, list) end
  for source, leaving in pairs(plan.gone) do call_many('HDEL', prefix .. source, leaving) end
  local records, hashes = plan.records, plan.hashes
  local power = power_up_to(hashes)
  for i = 1, #records, 3 do
    local number = hash_number(records[i + 1], hashes, power)
    call('HSET', prefix .. number, records[i], records[i + 2])
  end
end
