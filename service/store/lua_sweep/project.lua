-- The project that is swept, if it is there.
--
-- ARGV[4]  project id

local META = '<c8c8c8I8I4'
local project = PREFIX .. ARGV[4] .. ':'
local meta = call('GET', project .. 'm')
if not meta then return {'ok', 0, 0} end
local _, shape_id, names_id, records, hashes = unpack_s(META, meta)

local function write_meta(shape, count)
  call('SET', project .. 'm', pack(META, WRITE_ID, shape, names_id, count, hashes))
end
