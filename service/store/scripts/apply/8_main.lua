-- Head and claims are keys of their own, so a batch that writes nothing else goes on while the slot is being moved.
local begins = #head == 0
if #ARGV > 4 or ledger or ADOPTS or begins then check_slot() end
if layout < 1 or layout > LAST_LAYOUT then error({err = 'HEAD ' .. KEYS[1] .. ' is no head'}) end
if not is_known_layout(layout) then return {'layout', tostring(layout)} end
local new_head = advance_head()
if not new_head then return {'fenced', head} end

local plans = {}
local totals = layout >= TOTALS_LAYOUT and (#ARGV > 4 or begins) and read_totals(begins) or nil

local function apply_project(project, users, jobs)
  local prefix = PREFIX .. project .. ':'
  local meta = call('GET', prefix .. 'm')
  local _, shape, names, records, hashes, unfinished = WRITE_ID, WRITE_ID, WRITE_ID, 0, 1, 0
  if meta then _, shape, names, records, hashes, unfinished = unpack_s(META, meta) end
  check_mark(unfinished)
  local tree = new_tree(prefix)
  local names_changed = apply_users(prefix, users)
  local changed_records, fresh = apply_jobs(tree, jobs, hashes)
  apply_tree(tree)
  if totals and #tree.touched[TOP] > 0 then add_to_totals(totals, project, tree) end
  local changed = #changed_records / 3
  if changed == 0 and not names_changed and meta then return 0 end
  if names_changed then names = WRITE_ID end
  if #tree.shape > 0 then shape = WRITE_ID; call('STRLEN', prefix .. 's') end
  if not meta then call('SCARD', PREFIX .. 'projects') end
  records = records + fresh
  local more = grown(hashes, records, fresh)
  local gone, arriving = plan_splits(prefix .. 'j:', hashes, more)
  plans[#plans + 1] = {
    prefix = prefix, project = not meta and project, gone = gone, arriving = arriving, records = changed_records,
    hashes = more, shape = table.concat(tree.shape), old_meta = meta,
    meta = pack(META, WRITE_ID, shape, names, records, more, 0),
  }
  return changed
end

-- Returns the words of a refusal, or a false value for another error. The errors of REFUSALS are about the batch or the
-- keys of its project, and come again with the same batch. Any other is about the server, and passes: it must not look
-- like a refusal. pcall gives an error's text alone.
local REFUSALS = {COLLISION = true, OVERFLOW = true, DRIFT = true, WRONGTYPE = true, MARKED = true}
local function refusal(problem)
  if REFUSALS[string.match(problem, '^(%u+) ')] then return problem end
  local is_killed = find(problem, 'Script killed', 1, true)
  return not is_killed and find(problem, '^user_script:%d+: ') and 'FAULT ' .. problem
end

local changed = 0
for i = 5, #ARGV, 3 do
  local ok, result = pcall(apply_project, ARGV[i], ARGV[i + 1], ARGV[i + 2])
  if not ok then
    local problem = refusal(result)
    if problem then return {'refused', ARGV[i], problem} end
    error({err = result})
  end
  changed = changed + result
end

-- From here on the script writes. The marks come first: Redis refuses the first of them where memory is used up, and
-- then nothing has been written yet. The head comes last: if the script ends in part, the head still has the old
-- offsets, and the consumer reads the batch again.
for _, plan in ipairs(plans) do mark(plan.prefix, plan.old_meta, plan.hashes) end
mark_totals(totals)
for _, plan in ipairs(plans) do
  if plan.project then call('SADD', PREFIX .. 'projects', plan.project) end
  if #plan.shape > 0 then call('APPEND', plan.prefix .. 's', plan.shape) end
end
for i = 1, #hset_key do call('HSET', hset_key[i], hset_field[i], hset_value[i]) end
for i = #set_key, 1, -1 do call('SET', set_key[i], set_value[i]) end
for i = 1, #range_key do call('SETRANGE', range_key[i], range_at[i], range_value[i]) end
for _, plan in ipairs(plans) do write_records(plan.prefix .. 'j:', plan) end
write_totals(totals)  -- before the metas: while totals are not known, some project is marked, and whoever mends it counts
for _, plan in ipairs(plans) do call('SET', plan.prefix .. 'm', plan.meta) end
if ledger then call('SET', PREFIX .. 'gaps', ledger) end
if ADOPTS then call('DEL', FRESH) end
write_head(new_head)
return {'ok', tostring(changed), new_head.moved, pack('<I4I4I4I4I4I4', unpack(transitions))}
