-- A unit's meta: made, raised (never lowered), cuts opened and closed.
-- ARGV: U, what, then: 'raise': epoch, incarnation, floor, session, make?, forget cuts?
--       'open': cut, floor     'close': cut     'sweep': cut
local U, META, what = ARGV[1], KEYS[1], ARGV[2]
local m = call('HMGET', META, 'e', 'i', 'f', 'os', 'c', 'x', 'cl', 'cs', 'cg')

local function floor(to)
  if not m[3] or less(m[3], to) then
    call('HSET', META, 'f', to)
    return to
  end
  return m[3]
end

-- Cuts whose pre-images nobody reads any more, until they are swept: the answer that names them may be lost.
local gone = ids(m[9] or '')

-- Keeps only the pre-images that the cuts still open may need; answers the cuts to be swept. Commits go on to keep
-- pre-images for the newest cut kept, closed or not: for an older one they would keep what was changed since.
local function close(still)
  local oldest, newest = nil, 0
  for _, id in ipairs(still) do oldest = math.min(oldest or id, id) end
  local kept = {}
  for _, id in ipairs(ids(m[8])) do
    local list = (oldest and id >= oldest) and kept or gone
    list[#list + 1] = id
  end
  for _, id in ipairs(kept) do newest = math.max(newest, id) end
  local function list(of) return table.concat(of, ',') end
  call('HSET', META, 'c', newest, 'cl', list(still), 'cs', list(kept), 'cg', list(gone))
  return gone
end

if what == 'raise' then
  local epoch, inc, session = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])
  if not m[1] then
    if ARGV[7] ~= '1' then return {'LOST'} end
    call('HSET', META, 'e', epoch, 'i', inc, 'f', ARGV[5], 'os', session, 'on', 0, 'q', 0, 'c', 0, 'x', 0, 'cl', '', 'cs', '')
    return {'OK', inc, ARGV[5], session, {}}
  end
  if tonumber(m[1]) > epoch then return {'FENCED', m[1]} end
  if tonumber(m[1]) < epoch then call('HSET', META, 'e', epoch) end
  if tonumber(m[2]) < inc then call('HSET', META, 'i', inc) end
  if tonumber(m[4]) < session then call('HSET', META, 'os', session, 'on', 0) end
  local now = floor(ARGV[5])
  local dropped = {}
  if ARGV[8] == '1' and (m[7] ~= '' or m[8] ~= '' or #gone > 0) then dropped = close({}) end
  return {'OK', math.max(tonumber(m[2]), inc), now, math.max(tonumber(m[4]), session), dropped}
end
if what == 'sweep' then
  local names = call('SPOP', U .. 'z' .. ARGV[3], 500)
  if #names > 0 then
    call('UNLINK', unpack(names))
  elseif m[1] then
    local left = {}
    for _, id in ipairs(gone) do
      if id ~= tonumber(ARGV[3]) then left[#left + 1] = id end
    end
    call('HSET', META, 'cg', table.concat(left, ','))
  end
  return {'OK', #names}
end
if not m[1] then return {'LOST'} end
local id = tonumber(ARGV[3])
if what == 'open' then
  local now = floor(ARGV[4])
  if id > tonumber(m[6]) then
    local function behind(list) return list == '' and tostring(id) or list .. ',' .. id end
    call('HSET', META, 'c', id, 'x', id, 'cl', behind(m[7]), 'cs', behind(m[8]))
  end
  return {'OK', m[2], now, m[4]}
end
local still = {}
for _, open in ipairs(ids(m[7])) do
  if open ~= id then still[#still + 1] = open end
end
return {'OK', close(still)}
