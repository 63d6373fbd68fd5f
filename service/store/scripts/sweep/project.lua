-- Reads the meta of the project that is swept; the script ends here if there is none, or if it is damaged or marked.
--
-- ARGV[4]  project id

local project = PREFIX .. ARGV[4] .. ':'
local meta = redis.pcall('GET', project .. 'm')
if not meta then return {'ok', 0, 0} end
if type(meta) == 'table' and not find(meta.err, 'WRONGTYPE', 1, true) then error(meta) end
if type(meta) == 'table' or #meta ~= META_BYTES then return {'refused', 'FAULT the meta of the project is none'} end
local _, shape_id, names_id, records, hashes, unfinished = unpack_s(META, meta)
if unfinished > 0 then return {'refused', 'MARKED a write of the project ended in part'} end

-- The project is marked before anything else of it is written; its new meta, which comes last, takes the mark away.
local function write_meta(shape, count)
  call('SET', project .. 'm', pack(META, WRITE_ID, shape, names_id, count, hashes, 0))
end
