-- The time tree of one project. A node's string begins with 'L' (a leaf: the entries of its jobs), or with 'r' or 'R'
-- (one row per user, sorted, narrow or wide: an inner node, or one of level 0, which has nothing below it).

-- A loaded node has level, index, first (its first start time), past (the one after its last), key, items (its string),
-- inner (whether it holds rows), deltas by user key, users (how many of these), and for a leaf: taken (by position of
-- an entry that is replaced or removed the new entry or false) and added (new entries).
local function new_tree(prefix)
  local tree = {prefix = prefix, nodes = {}, touched = {}, shape = {}}
  for level in pairs(WIDTH) do tree.nodes[level] = {}; tree.touched[level] = {} end
  return tree
end

local function load_node(tree, level, index)
  local key = tree.prefix .. 'n:' .. level .. ':' .. string.format('%d', index)
  local items = call('GET', key)
  local node = {level = level, index = index, key = key, stored = items and true or false,
                first = index * WIDTH[level], past = (index + 1) * WIDTH[level]}
  node.inner = level == 0 or (items and byte(items) ~= 76) or false
  node.items = items or (node.inner and 'r' or 'L')
  tree.nodes[level][index] = node
  return node
end

-- Returns the bottom node (leaf, or node of level 0) that holds the jobs of a start time.
local function bottom(tree, start)
  local node = tree.last
  if node and start >= node.first and start < node.past then return node end
  local nodes, level = tree.nodes, TOP
  local index = floor(start / WIDTH[level])
  node = nodes[level][index] or load_node(tree, level, index)
  while node.inner and level > 0 do
    level = CHILD[level]
    index = floor(start / WIDTH[level])
    node = nodes[level][index] or load_node(tree, level, index)
  end
  tree.last = node
  return node
end

-- Returns the deltas of a node by user, made if there are none.
local function deltas_of(tree, node)
  local deltas = node.deltas
  if not deltas then
    deltas = {}
    node.deltas, node.users = deltas, 0
    local list = tree.touched[node.level]
    list[#list + 1] = node
  end
  return deltas
end

-- Returns the delta of a user in a node, made if there is none: six counts, bytes lo and hi.
local function delta_of(tree, node, user)
  local deltas = node.deltas or deltas_of(tree, node)
  local delta = deltas[user]
  if not delta then
    delta = {0, 0, 0, 0, 0, 0, 0, 0}
    deltas[user] = delta
    node.users = node.users + 1
  end
  return delta
end

-- Adds to the deltas of a node (sign 1) what an entry says, or subtracts it (sign -1).
local function count(tree, node, sign, lo, hi, user, status)
  local delta = delta_of(tree, node, user)
  delta[status + 1] = delta[status + 1] + sign
  delta[7] = delta[7] + sign * lo
  delta[8] = delta[8] + sign * hi
end

-- Marks one stored entry that equals the old one as replaced or removed; equal entries are interchangeable.
local function take(node, entry, replacement)
  local taken = node.taken
  if not taken then taken = {}; node.taken = taken end
  local at = find(node.items, entry, 2, true)
  while at and ((at - 2) % ENTRY ~= 0 or taken[at] ~= nil) do at = find(node.items, entry, at + 1, true) end
  if not at then error({err = 'DRIFT no such contribution in ' .. node.key}) end
  taken[at] = replacement
end

local function add(node, entry)
  local added = node.added
  if not added then added = {}; node.added = added end
  added[#added + 1] = entry
end

local FIELDS = '<I7I4I3c6B'  -- of an entry: start, size (lo, hi), user key, status

-- Adds the entry of a job to its leaf and to the deltas.
local function add_entry(tree, entry)
  local start, lo, hi, user, status = unpack_s(FIELDS, entry)
  local node = bottom(tree, start)
  count(tree, node, 1, lo, hi, user, status)
  if not node.inner then add(node, entry) end
end

-- Removes the entry of a job from its leaf and from the deltas.
local function remove_entry(tree, entry)
  local start, lo, hi, user, status = unpack_s(FIELDS, entry)
  local node = bottom(tree, start)
  count(tree, node, -1, lo, hi, user, status)
  if not node.inner then take(node, entry, false) end
end

-- Replaces the old entry of a job by its new one, in their leaves and in the deltas.
local function replace_entry(tree, old, new)
  local old_start, old_lo, old_hi, old_user, old_status = unpack_s(FIELDS, old)
  local start, lo, hi, user, status = unpack_s(FIELDS, new)
  local node = bottom(tree, old_start)
  if node ~= bottom(tree, start) then
    remove_entry(tree, old)
    add_entry(tree, new)
    return
  end
  if lo == old_lo and hi == old_hi and user == old_user then
    local delta = delta_of(tree, node, user)
    delta[old_status + 1] = delta[old_status + 1] - 1
    delta[status + 1] = delta[status + 1] + 1
  else
    count(tree, node, -1, old_lo, old_hi, old_user, old_status)
    count(tree, node, 1, lo, hi, user, status)
  end
  if not node.inner then take(node, old, new) end
end
