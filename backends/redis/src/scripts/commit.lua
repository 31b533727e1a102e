-- One commit to one unit. Everything is checked before the first write: a script that fails
-- half-way is not rolled back.
-- ARGV: U, epoch, incarnation, now, cut, writer, sequence, session, position,
--       revised count, pre-images?, then conditions, 'E' (or 'F', see puts.lua), then changes.
local META = KEYS[1]
local epoch, inc, now, cut = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local writer, mark = ARGV[6], ARGV[7]
local revised, imaging = tonumber(ARGV[10]), ARGV[11] == '1'
local P = 12
local function take()
  P = P + 1
  return ARGV[P - 1]
end

if not m[1] then return {'LOST'} end
if tonumber(m[1]) ~= epoch then return {'FENCED', m[1]} end
local unit_inc = tonumber(m[2])
if unit_inc > inc then return {'STALE', unit_inc} end
if writer ~= '' then
  local last = call('HGET', U .. 'j', writer)
  -- One of another session tells of content that a recovery replaced.
  if last and string.sub(last, 9, 12) == ARGV[8] then
    local sequence = string.sub(last, 1, 8)
    if sequence == mark then return {'DUP', string.sub(last, 13, 20)} end
    if less(mark, sequence) then return {'OLD', sequence} end
  end
end
if m[8] and less(now, m[8]) then now = m[8] end
local q = tonumber(m[3])
if q + revised >= 1099511627775 then return {'FULL'} end
local c, opens = tonumber(m[4]), cut > tonumber(m[5])
if opens then c = cut end
local os, on = tonumber(m[6]), tonumber(m[7])

local function lives(raw, rev, ttl)
  return ttl == 0 or less(now, string.sub(raw, 8 * rev + 1, 8 * rev + 8))
end

local function holds(raw, kind, arg, rev, ttl)
  if raw and not lives(raw, rev, ttl) then raw = false end
  if kind == 'A' then return not raw end
  if not raw then return false end
  if kind == 'P' then return true end
  if kind == 'R' then return string.sub(raw, 1, 8) == arg end
  local from = 8 * (rev + ttl) + 6
  return #raw + 1 >= from and string.sub(raw, from) == arg
end

local function head_lives(list)
  local head = call('LINDEX', list, 0)
  return head and less(now, string.sub(head, 9))
end

local failed, number = {'COND'}, 0
local op = take()
while op ~= 'E' and op ~= 'F' do
  local place, rev, ttl, count = take(), tonumber(take()), tonumber(take()), tonumber(take())
  if op == 'K' then
    each(1, count, CHUNK, function(from, to)
      local raws = call('HMGET', U .. 'h' .. place, unpack(ARGV, P + from - 1, P + to - 1))
      for i = from, to do
        local at = P + count + 2 * (i - 1)
        if not holds(raws[i - from + 1], ARGV[at], ARGV[at + 1], rev, ttl) then failed[#failed + 1] = number + i - 1 end
      end
    end)
    P = P + 3 * count
  else
    for i = 1, count do
      local name, sub, kind, arg = U .. 'k' .. place .. ':' .. take(), take(), take(), take()
      local raw = false
      if op == 'M' then
        raw = call('HGET', name, sub)
      elseif ttl == 0 or head_lives(name) then
        local length = call('LLEN', name)
        local at = position(name, sub, ttl, length)
        local found = at < length and call('LINDEX', name, at)
        if found and string.sub(found, 1, 8) == sub then raw = string.sub(found, 9) end
      end
      if not holds(raw, kind, arg, op == 'M' and rev or 0, op == 'M' and ttl or 0) then
        failed[#failed + 1] = number + i - 1
      end
    end
  end
  number = number + count
  op = take()
end
if #failed > 1 then return failed end

-- From here on everything is written.
if opens then
  local list = m[9] == '' and tostring(cut) or m[9] .. ',' .. cut
  local kept = m[10] == '' and tostring(cut) or m[10] .. ',' .. cut
  call('HSET', META, 'c', cut, 'x', cut, 'cl', list, 'cs', kept)
end
if unit_inc < inc then call('HSET', META, 'i', inc) end

local function keep_rows(place, keys)
  if c == 0 or not imaging or #keys == 0 then return end
  local images, order = U .. 'u' .. c .. '.' .. place, U .. 'v' .. c .. '.' .. place
  local known, fresh = call('HMGET', images, unpack(keys)), {}
  for i, key in ipairs(keys) do
    if not known[i] then fresh[#fresh + 1] = key end
  end
  if #fresh == 0 then return end
  local raws, rows, members = call('HMGET', U .. 'h' .. place, unpack(fresh)), {}, {}
  for i, key in ipairs(fresh) do
    rows[2 * i - 1], rows[2 * i] = key, raws[i] and '\1' .. raws[i] or '\0'
    members[2 * i - 1], members[2 * i] = 0, key
  end
  call('HSET', images, unpack(rows))
  call('ZADD', order, unpack(members))
  call('SADD', U .. 'z' .. c, images, order)
end

local function keep_key(place, key)
  if c == 0 or not imaging then return end
  local order = U .. 'v' .. c .. '.' .. place
  if call('ZADD', order, 'NX', 0, key) == 0 then return end
  local tail = place .. ':' .. key
  local copy, sorted = U .. 'w' .. c .. '.' .. tail, U .. 'y' .. c .. '.' .. tail
  call('COPY', U .. 'k' .. tail, copy)
  call('COPY', U .. 'x' .. tail, sorted)
  call('SADD', U .. 'z' .. c, order, copy, sorted)
end

local function remove_key(place, key)
  call('UNLINK', U .. 'k' .. place .. ':' .. key, U .. 'x' .. place .. ':' .. key)
  call('ZREM', U .. 'o' .. place, key)
end

local function remove_rows(place, keys)
  keep_rows(place, keys)
  if #keys > 0 and call('HDEL', U .. 'h' .. place, unpack(keys)) > 0 then
    call('ZREM', U .. 'o' .. place, unpack(keys))
  end
end

local function remove_subs(place, key, subs)
  local tail = place .. ':' .. key
  each(1, #subs, CHUNK, function(from, to)
    call('HDEL', U .. 'k' .. tail, unpack(subs, from, to))
    call('ZREM', U .. 'x' .. tail, unpack(subs, from, to))
  end)
  if call('EXISTS', U .. 'k' .. tail) == 0 then remove_key(place, key) end
end

-- A run of pairs as it was sent, or with the revisions that it gets: the table, and where in it.
local function rows_of(rev, count)
  if rev == 0 then return ARGV, P, P + 2 * count - 1 end
  local rows = {}
  for i = 1, count do
    local at = P + 3 * (i - 1)
    rows[2 * i - 1], rows[2 * i] = ARGV[at], join(inc, q + tonumber(ARGV[at + 1])) .. ARGV[at + 2]
  end
  return rows, 1, 2 * count
end

local function args(count)
  local out = {}
  for i = 1, count do out[i] = take() end
  return out
end

local function settle_list(place, key, ttl)
  if call('LLEN', U .. 'k' .. place .. ':' .. key) <= ttl then remove_key(place, key) end
end

-- Removes the elements from index `first` up to but not including `last`.
local function cut_list(list, first, last, ttl, length)
  if last <= first then return end
  if first == ttl then
    local head = ttl == 1 and call('LPOP', list)
    call('LTRIM', list, last - ttl, -1)
    if head then call('LPUSH', list, head) end
  elseif last >= length then
    call('LTRIM', list, 0, first - 1)
  else
    for at = first, last - 1 do call('LSET', list, at, '') end
    call('LREM', list, last - first, '')
  end
end

local removed = 0
local change = {}

change.P = function(place)
  local rev, count = tonumber(take()), tonumber(take())
  local rows, first, last = rows_of(rev, count)
  if c > 0 and imaging then
    each(first, last, 2 * CHUNK, function(from, to)
      local names = {}
      for at = from, to, 2 do names[#names + 1] = rows[at] end
      keep_rows(place, names)
    end)
  end
  put_rows(place, rows, first, last)
  P = P + (2 + rev) * count
end

change.D = function(place)
  local keys = args(tonumber(take()))
  each(1, #keys, CHUNK, function(from, to)
    remove_rows(place, {unpack(keys, from, to)})
  end)
end

change.X = function(place)
  local rev, keys = tonumber(take()), args(tonumber(take()))
  each(1, #keys, CHUNK, function(from, to)
    local raws, gone = call('HMGET', U .. 'h' .. place, unpack(keys, from, to)), {}
    for i = from, to do
      local raw = raws[i - from + 1]
      if raw and not lives(raw, rev, 1) then gone[#gone + 1] = keys[i] end
    end
    remove_rows(place, gone)
    removed = removed + #gone
  end)
end

change.M = function(place)
  local key, rev, count = take(), tonumber(take()), tonumber(take())
  keep_key(place, key)
  put_subs(place, key, rows_of(rev, count))
  P = P + (2 + rev) * count
end

change.N = function(place)
  local key = take()
  local subs = args(tonumber(take()))
  keep_key(place, key)
  remove_subs(place, key, subs)
end

change.Y = function(place)
  local key, rev, subs = take(), tonumber(take()), nil
  subs = args(tonumber(take()))
  local gone = {}
  for _, sub in ipairs(subs) do
    local raw = call('HGET', U .. 'k' .. place .. ':' .. key, sub)
    if raw and not lives(raw, rev, 1) then gone[#gone + 1] = sub end
  end
  if #gone > 0 then
    keep_key(place, key)
    remove_subs(place, key, gone)
    removed = removed + #gone
  end
end

change.R = function(place)
  local key, from, to = take(), take(), take()
  local tail = place .. ':' .. key
  keep_key(place, key)
  if from == '-' and to == '+' then return remove_key(place, key) end
  if call('EXISTS', U .. 'k' .. tail) == 0 then return end
  local order = U .. 'x' .. tail
  local sorted = call('EXISTS', order) == 1
  if not sorted then
    local all = call('HKEYS', U .. 'k' .. tail)
    add(order, all, 1, #all, 1)
  end
  local subs = call('ZRANGEBYLEX', order, from, to)
  if not sorted then call('UNLINK', order) end
  remove_subs(place, key, subs)
end

change.A = function(place)
  local key, expiry, count = take(), take(), tonumber(take())
  local list = U .. 'k' .. place .. ':' .. key
  keep_key(place, key)
  if expiry ~= '' then
    local head = string.rep('\0', 8) .. expiry
    if call('EXISTS', list) == 1 and head_lives(list) then
      call('LSET', list, 0, head)
    else
      call('UNLINK', list)
      call('RPUSH', list, head)
    end
  end
  each(1, count, CHUNK, function(from, to)
    local elements = {}
    for _ = from, to do
      elements[#elements + 1] = join(os, on) .. take()
      on = on + 1
    end
    call('RPUSH', list, unpack(elements))
  end)
  call('ZADD', U .. 'o' .. place, 0, key)
  call('HSET', META, 'on', string.format('%.0f', on))
end

-- Elements with the ordinals they had elsewhere.
change.L = function(place)
  local key, head, count = take(), take(), tonumber(take())
  local list = U .. 'k' .. place .. ':' .. key
  if head ~= '' then call('RPUSH', list, string.rep('\0', 8) .. head) end
  each(1, count, CHUNK, function(from, to)
    local elements = {}
    for _ = from, to do elements[#elements + 1] = take() end
    call('RPUSH', list, unpack(elements))
  end)
  call('ZADD', U .. 'o' .. place, 0, key)
end

change.T = function(place)
  local key, ttl, count = take(), tonumber(take()), tonumber(take())
  local list = U .. 'k' .. place .. ':' .. key
  local length = call('LLEN', list)
  if length == 0 then return end
  keep_key(place, key)
  cut_list(list, ttl, math.min(ttl + count, length), ttl, length)
  settle_list(place, key, ttl)
end

change.Q = function(place)
  local key, ttl = take(), tonumber(take())
  local ordinals = args(tonumber(take()))
  local list = U .. 'k' .. place .. ':' .. key
  keep_key(place, key)
  for _, ordinal in ipairs(ordinals) do
    local length = call('LLEN', list)
    local at = position(list, ordinal, ttl, length)
    local found = at < length and call('LINDEX', list, at)
    if found and string.sub(found, 1, 8) == ordinal then cut_list(list, at, at + 1, ttl, length) end
  end
  settle_list(place, key, ttl)
end

change.S = function(place)
  local key, ttl, from, to = take(), tonumber(take()), take(), take()
  local list = U .. 'k' .. place .. ':' .. key
  keep_key(place, key)
  if from == '' and to == '' then return remove_key(place, key) end
  local length = call('LLEN', list)
  local first = from == '' and ttl or position(list, from, ttl, length)
  local last = to == '' and length or position(list, to, ttl, length)
  if length > 0 then
    cut_list(list, first, last, ttl, length)
    settle_list(place, key, ttl)
  end
end

change.Z = function(place)
  local key = take()
  local list = U .. 'k' .. place .. ':' .. key
  if call('EXISTS', list) == 1 and not head_lives(list) then
    keep_key(place, key)
    remove_key(place, key)
    removed = removed + 1
  end
end

local last = #ARGV
while P <= last do
  op = take()
  change[op](take())
end
local base = join(inc, q)
if revised > 0 then call('HSET', META, 'q', string.format('%.0f', q + revised)) end
if writer ~= '' then call('HSET', U .. 'j', writer, mark .. ARGV[8] .. base .. ARGV[9]) end
return {'OK', base, removed}
