-- ARGV[1]: MessagePack, a list of {project, job, user, status, start time, size, sequence, event time, status' rank}.
local known, sums = {}, {}

local function add(job, sign)
  local key = 'hour:' .. job.project .. ':' .. string.format('%.0f', math.floor(job.start / 3600000))
  local fields = sums[key]
  if not fields then
    fields = {}
    sums[key] = fields
  end
  local status, size = job.user .. ':' .. job.status, job.user .. ':size'
  fields[status] = (fields[status] or 0) + sign
  fields[size] = (fields[size] or 0) + sign * job.size
end

local function read(key, project)
  local found = redis.call('HMGET', key, 'user', 'status', 'start', 'size', 'sequence', 'time', 'rank')
  if not found[1] then return nil end
  return {
    project = project, user = found[1], status = found[2], start = tonumber(found[3]), size = tonumber(found[4]),
    sequence = tonumber(found[5]), time = tonumber(found[6]), rank = tonumber(found[7]),
  }
end

local function is_newer(event, job)
  if event.sequence ~= job.sequence then return event.sequence > job.sequence end
  if event.time ~= job.time then return event.time > job.time end
  return event.rank > job.rank
end

local changed = {}
for _, each in ipairs(cmsgpack.unpack(ARGV[1])) do
  local key = 'job:' .. each[1] .. '/' .. each[2]
  local job = known[key] or read(key, each[1])
  local event = {
    project = each[1], user = each[3], status = each[4], start = each[5], size = each[6],
    sequence = each[7], time = each[8], rank = each[9],
  }
  if not job or is_newer(event, job) then
    if job then add(job, -1) end
    add(event, 1)
    job, changed[key] = event, event
  end
  known[key] = job
end

for key, job in pairs(changed) do
  redis.call('HSET', key, 'user', job.user, 'status', job.status, 'start', string.format('%.0f', job.start),
    'size', string.format('%.0f', job.size), 'sequence', job.sequence, 'time', string.format('%.0f', job.time),
    'rank', job.rank)
end
for key, fields in pairs(sums) do
  for field, delta in pairs(fields) do
    if delta ~= 0 then redis.call('HINCRBY', key, field, string.format('%.0f', delta)) end
  end
end
