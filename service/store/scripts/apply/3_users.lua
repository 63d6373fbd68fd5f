-- Names: of all events of a user in a project the one with the greatest event time names the user; of several with that
-- time, the greatest string does. ":t" holds the namings, sorted by user key; ":u" holds ids and names.

local function collide(old_id, id)
  error({err = 'COLLISION users ' .. old_id .. ' and ' .. id .. ' share a key'})
end

-- Tells whether the name that an event gives replaces the known one; raises COLLISION if two users share a key.
local function renames(names_key, key, id, time, name, old_time)
  local old = call('HGET', names_key, key)
  local old_id = sub(old, 2, 1 + byte(old))
  if old_id ~= id then collide(old_id, id) end
  local old_name = sub(old, 2 + byte(old))
  -- the same name in ":u" beside another's digest in ":t": a write has ended between the two
  return time > old_time or (time == old_time and (name == old_name or greater(name, old_name)))
end

-- Applies the namings of a batch to one project; returns whether a name changed.
local function apply_users(prefix, users)
  local names_key, times_key = prefix .. 'u', prefix .. 't'
  local times = call('GET', times_key) or ''
  local changed, fresh, new_ids, names_changed, at = {}, {}, {}, false, 1
  while at <= #users do
    local key, time, digest, id_bytes, name_bytes = unpack_s('<c6I7c6BI2', users, at)
    local named = sub(users, at, at + NAME - 1)
    local id = sub(users, at + 22, at + 21 + id_bytes)
    local name = sub(users, at + 22 + id_bytes, at + 21 + id_bytes + name_bytes)
    at = at + 22 + id_bytes + name_bytes
    local position, index = search(times, 0, NAME, key)
    local new_name = not position
    if not position then
      if new_ids[key] then collide(new_ids[key], id) end
      new_ids[key] = id
      fresh[#fresh + 1] = {1 + index * NAME, named, unpack_s('<I6', key)}
    else
      local old_time, old_digest = unpack_s('<I7c6', times, position + 6)
      if old_digest ~= digest then new_name = renames(names_key, key, id, time, name, old_time) end
      if new_name or (old_digest == digest and time > old_time) then changed[#changed + 1] = {position, named} end
    end
    if new_name then
      write_hash(names_key, key, string.char(#id) .. id .. name)
      names_changed = true
    end
  end
  if names_changed then call('HLEN', names_key) end
  write_items(times_key, times, NAME, changed, fresh, true)
  return names_changed
end
