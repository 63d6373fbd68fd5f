-- Applies changes to leaves, splits leaves that hold too many jobs, and hands the deltas up to the topmost nodes.

local function add_shape(tree, level, index)
  tree.shape[#tree.shape + 1] = pack('<BI7', level, index)
end

local LISTED_LEAF = 128   -- added to the level in the shape entry of a leaf

-- Makes a node of these entries: a leaf, or rows of level 0, or an inner node and all nodes below it. Collected strings
-- are written from the last to the first, so a node before those below it: no node is ever there that nothing leads to.
local function plant(tree, level, index, entries)
  local key = tree.prefix .. 'n:' .. level .. ':' .. string.format('%d', index)
  call('STRLEN', key)  -- refused before the first write if the slot is moving to another server: it takes no new key
  if level == 0 then
    write_string(key, build_rows(entries))
  elseif #entries <= LEAF_JOBS then
    write_string(key, 'L' .. table.concat(entries))
    if level >= LISTED then add_shape(tree, level + LISTED_LEAF, index) end
  else
    local child, groups = CHILD[level], {}
    for _, entry in ipairs(entries) do
      local at = floor(unpack_s('<I7', entry) / WIDTH[child])
      local group = groups[at]
      if not group then group = {}; groups[at] = group end
      group[#group + 1] = entry
    end
    for at, group in pairs(groups) do plant(tree, child, at, group) end
    write_string(key, build_rows(entries))
    add_shape(tree, level, index)
  end
end

local function apply_leaf(tree, node)
  local taken, added, items = node.taken or {}, node.added or {}, node.items
  local removed = false
  for _, replacement in pairs(taken) do
    if not replacement then removed = true end
  end
  if #added == 0 and not removed then
    for at, replacement in pairs(taken) do write_range(node.key, at - 1, replacement) end
    return
  end
  if next(taken) == nil and (#items - 1) / ENTRY + #added <= LEAF_JOBS then
    write_string(node.key, items .. table.concat(added))
  else
    local entries = added
    for at = 2, #items, ENTRY do
      local replacement = taken[at]
      if replacement == nil then replacement = sub(items, at, at + ENTRY - 1) end
      if replacement then entries[#entries + 1] = replacement end
    end
    if #entries > LEAF_JOBS then
      plant(tree, node.level, node.index, entries)
      return
    end
    write_string(node.key, 'L' .. table.concat(entries))
  end
  if not node.stored and node.level >= LISTED then
    add_shape(tree, node.level + LISTED_LEAF, node.index)
  end
end

local LEVELS = {0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 42}

-- Adds the deltas of a node to those of the node above it. Its own are not needed once it is applied, so the first that
-- comes of a user becomes the one of the node above.
local function hand_up(tree, node, parent)
  local sums = deltas_of(tree, parent)
  for user, delta in pairs(node.deltas) do
    local sum = sums[user]
    if sum then
      for i = 1, 8 do sum[i] = sum[i] + delta[i] end
    else
      sums[user] = delta
      parent.users = parent.users + 1
    end
  end
end

local function apply_tree(tree)
  for _, level in ipairs(LEVELS) do
    for _, node in ipairs(tree.touched[level]) do
      if node.inner then apply_rows(node) else apply_leaf(tree, node) end
      local parent_level = PARENT[level]
      if parent_level then
        hand_up(tree, node, tree.nodes[parent_level][floor(node.index * WIDTH[level] / WIDTH[parent_level])])
      end
    end
  end
end
