-- The time tree of one project. A node's string begins with 'L' (leaf: the contributions of its jobs) or 'R' (one row
-- per user, sorted: an inner node, or a node of one millisecond, which has nothing below it).

-- A node in hand: level, index, key, items (its string), inner, deltas (user key -> six counts, bytes lo, bytes hi),
-- and for a leaf: taken (positions whose entry is replaced or removed -> new entry or false), added (new entries).
local function new_tree(prefix)
  local tree = {prefix = prefix, nodes = {}, touched = {}, shape = {}}
  for level in pairs(WIDTH) do tree.nodes[level] = {}; tree.touched[level] = {} end
  return tree
end

local function load_node(tree, level, index)
  local key = tree.prefix .. 'n:' .. level .. ':' .. string.format('%d', index)
  local items = call('GET', key)
  local node = {level = level, index = index, key = key, stored = items and true or false}
  node.inner = level == 0 or (items and byte(items) == 82) or false
  node.items = items or (node.inner and 'R' or 'L')
  tree.nodes[level][index] = node
  return node
end

-- The bottom node (leaf, or node of one millisecond) that holds the jobs of a start time.
local function bottom(tree, start)
  local nodes = tree.nodes
  local node = nodes[ROOT][0] or load_node(tree, ROOT, 0)
  while node.inner and node.level > 0 do
    local level = CHILD[node.level]
    local index = floor(start / WIDTH[level])
    node = nodes[level][index] or load_node(tree, level, index)
  end
  return node
end

local function touch(tree, node)
  if not node.deltas then
    node.deltas = {}
    local list = tree.touched[node.level]
    list[#list + 1] = node
  end
  return node.deltas
end

-- Counts an entry (sign 1) or no longer (sign -1) in deltas.
local function count(deltas, entry, sign)
  local lo, hi, user, status = unpack_s('<I4I3c6B', entry, 8)
  local delta = deltas[user]
  if not delta then delta = {0, 0, 0, 0, 0, 0, 0, 0}; deltas[user] = delta end
  delta[status + 1] = delta[status + 1] + sign
  delta[7] = delta[7] + sign * lo
  delta[8] = delta[8] + sign * hi
end

-- Marks one stored entry equal to the old one; equal entries are interchangeable.
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

-- Moves a job's contribution from its old entry (or nil) to its new one (or nil).
local function change(tree, old, new)
  local old_node = old and bottom(tree, unpack_s('<I7', old))
  local new_node = new and bottom(tree, unpack_s('<I7', new))
  if old then count(touch(tree, old_node), old, -1) end
  if new then count(touch(tree, new_node), new, 1) end
  if old_node == new_node then
    if not new_node.inner then take(new_node, old, new) end
    return
  end
  if old and not old_node.inner then take(old_node, old, false) end
  if new and not new_node.inner then add(new_node, new) end
end
