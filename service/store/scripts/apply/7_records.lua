-- Records: the version and the entry of each job, in small record hashes ":j:<number>". Their number grows by linear
-- hashing (Litwin, 1980).
local RECORD = '<I4I7I7I7I6B'  -- sequence, event time, start, size, user key, status

-- Returns the greatest power of two up to a number.
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

-- Tells whether a record is later than another of its job: by sequence, event time and status; then, so that the latest
-- of a set of events does not depend on their order, by start, size and user. The record of a deletion is later than
-- any.
local function is_newer(record, old)
  local sequence, time = unpack_s('<I4I7', record)
  local old_sequence, old_time, old_start, old_size, old_user, old_status = unpack_s(RECORD, old)
  if sequence ~= old_sequence then return sequence > old_sequence end
  if time ~= old_time then return time > old_time end
  local _, _, start, size, user, status = unpack_s(RECORD, record)
  if status ~= old_status then return status > old_status end
  if status == DELETED then return false end
  if start ~= old_start then return start > old_start end
  if size ~= old_size then return size > old_size end
  return user > old_user
end

-- By status the number of jobs that came into it.
local transitions = {0, 0, 0, 0, 0, 0}

-- Applies the jobs of one project to the tree. Returns their new records (job key, hash and record of each, in one
-- list) and the number of jobs that had no record.
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
      newer = false  -- the job starts before the horizon: it counts nowhere, and gets no record
    else
      fresh = fresh + 1
    end
    if newer then
      local n = #records
      -- the record of a deleted job keeps the start: a sweep deletes the record once that is before the horizon
      if old and status == DELETED then record = sub(record, 1, 11) .. sub(old, 12, 18) .. sub(record, 19) end
      records[n + 1], records[n + 2], records[n + 3] = job, hash, record
      local new_entry = status ~= DELETED and sub(jobs, at + 31, at + 51) or nil
      if old_entry ~= new_entry then
        if not old_entry then add_entry(tree, new_entry)
        elseif not new_entry then remove_entry(tree, old_entry)
        else replace_entry(tree, old_entry, new_entry) end
      end
      if new_entry and not (old and byte(old, 32) == status) then transitions[status + 1] = transitions[status + 1] + 1 end
    end
  end
  return records, fresh
end

-- Returns the number of record hashes for which these hold HASH_JOBS records each on average. A damaged count may ask
-- for any number of them, so no batch makes many more than its new records fill.
local function grown(hashes, count, fresh)
  return math.max(hashes, math.min(math.ceil(count / HASH_JOBS), hashes + fresh + HASH_JOBS))
end

-- Returns the number of the record hash, of the old ones, that holds the records which belong into a new one.
local function source_of(number, hashes)
  while number >= hashes do number = number - power_up_to(number) end
  return number
end

-- Plans the splits that make `more` record hashes of `hashes`: reads the records of those that split. Returns by hash
-- the fields that leave it, and by hash the fields and values, in one list, that arrive.
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

-- Calls a command with many arguments in pieces: unpack() has a limit, and chosen ids could crowd one record hash.
local function call_many(command, key, arguments)
  for i = 1, #arguments, 1000 do call(command, key, unpack(arguments, i, math.min(i + 999, #arguments))) end
end

-- Writes records by plan. A record comes to its new hash before it leaves the old one, so that it is always in one.
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
