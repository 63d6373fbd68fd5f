-- Runs each command that writers need once, on a key that nobody uses, and leaves nothing behind. Redis checks the
-- rights of the user for a command within a script as it does for one outside.
--
-- KEYS[1]  the key
--
-- Returns the names of the commands that the user may not run.

local key, denied = KEYS[1], {}

local function try(name, ...)
  local reply = redis.pcall(name, ...)
  local problem = type(reply) == 'table' and reply.err
  if problem and (find(problem, 'ACL failure') or find(problem, 'The user executing the script')) then
    denied[#denied + 1] = name
    return false
  end
  return true
end

local deletes, unlinks = try('DEL', key), try('UNLINK', key)
local delete = deletes and 'DEL' or 'UNLINK'
for _, name in ipairs({'GET', 'MGET', 'STRLEN', 'EXISTS', 'TYPE', 'HLEN', 'HGETALL', 'SCARD', 'SMEMBERS'}) do
  try(name, key)
end
try('HGET', key, '-')
try('HMGET', key, '-')
try('HDEL', key, '-')
try('SREM', key, '-')
try('SISMEMBER', key, '-')
try('SCAN', '0', 'COUNT', '1')
if deletes or unlinks then
  try('SET', key, '-')
  try('APPEND', key, '-')
  try('SETRANGE', key, 0, '-')
  call(delete, key)
  try('HSET', key, '-', '-')
  call(delete, key)
  try('SADD', key, '-')
  call(delete, key)
end
return denied
