-- The time tree of one project. A node's string begins with 'L' (a leaf: the entries of its jobs), or with 'r' or 'R'
-- (one row per user, sorted, narrow or wide: an inner node, or one of level 0, which has nothing below it).

-- A loaded node has level, index, first (its first start time), key, items (its string), inner (whether it holds rows),
-- deltas by user key, users (how many of these), and for a leaf: taken (by position of an entry that is replaced or
-- removed the new entry or false) and added (new entries).
local function new_tree(prefix)
  local tree = {prefix = prefix, nodes = {}, touched = {}, shape = {}}
  for level in pairs(WIDTH) do tree.nodes[level] = {}; tree.touched[level] = {} end
  return tree
end

local function load_node(tree, level, index)
  local key = tree.prefix .. 'n:' .. level .. ':' .. string.format('%d', index)
  local items = call('GET', key)
  local node = {level = level, index = index, key = key, stored = items and true or false,
                first = index * WIDTH[level]}
  node.inner = level == 0 or (items and byte(items) ~= 76) or false
  node.items = items or (node.inner and 'r' or 'L')
  tree.nodes[level][index] = node
  return node
end

-- Returns the bottom node (leaf, or node of level 0) that holds the jobs of a start time.
local function bottom(tree, start)
  local node = tree.last
  if node and start >= node.first and start < node.first + WIDTH[node.level] then return node end
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

-- Returns the delta of a user in a node, made if there is none: six counts, bytes lo and hi.
local function delta_of(tree, node, user)
  local deltas = node.deltas
  if not deltas then
    deltas = {}
    node.deltas, node.users = deltas, 0
    local list = tree.touched[node.level]
    list[#list + 1] = node
  end
  local delta = deltas[user]
  if not delta then
    delta = {0, 0, 0, 0, 0, 0, 0, 0}
    deltas[user] = delta
    node.users = node.users + 1
  end
  return delta
end

-- Adds an entry to the deltas of a node (sign 1), or subtracts it (sign -1).
local function count(tree, node, entry, sign)
  local lo, hi, user, status = unpack_s('<I4I3c6B', entry, 8)
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

-- Replaces the old entry of a job (or nil) by its new one (or nil), in their leaves and in the deltas.
local function change(tree, old, new)
  local old_node = old and bottom(tree, unpack_s('<I7', old))
  local new_node = new and bottom(tree, unpack_s('<I7', new))
  if old_node == new_node and sub(old, 8, 20) == sub(new, 8, 20) then
    local delta = delta_of(tree, new_node, sub(new, 15, 20))
    local from, to = byte(old, 21) + 1, byte(new, 21) + 1
    delta[from] = delta[from] - 1
    delta[to] = delta[to] + 1
  else
    if old then count(tree, old_node, old, -1) end
    if new then count(tree, new_node, new, 1) end
  end
  if old_node == new_node then
    if not new_node.inner then take(new_node, old, new) end
    return
  end
  if old and not old_node.inner then take(old_node, old, false) end
  if new and not new_node.inner then add(new_node, new) end
end
