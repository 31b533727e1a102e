-- One page of one group: of the live rows from an index range, or of a cut for given names.
-- ARGV: U, place, model, ttl, cut, rows, bytes, start key, from (sub), to (sub), then
--       'I', min, max: names by the index, or 'N', names...
local U, place, model, ttl, cut = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local rows, bytes = tonumber(ARGV[6]), tonumber(ARGV[7])
local start, from, to = ARGV[8], ARGV[9], ARGV[10]
local m = call('HMGET', KEYS[1], 'i', 'f', 'cl', 'cs')
if not m[1] then return {'LOST'} end
local cuts = {}
if cut > 0 then
  local open = false
  for _, id in ipairs(ids(m[3])) do open = open or id == cut end
  if not open then return {'GONE'} end
  cuts = ids(m[4])
end
local names, more = nil, 0
if ARGV[11] == 'I' then
  -- One more than rows: all of the first may have been seen.
  names = call('ZRANGEBYLEX', U .. 'o' .. place, ARGV[12], ARGV[13], 'LIMIT', 0, rows + 1)
  if #names > rows then more = 1 end
else
  names = {unpack(ARGV, 12)}
end
local out, got, size = {}, 0, 0

if model == 'k' then
  local at, step = 1, 16
  while at <= #names and size < bytes do
    local last = math.min(at + step - 1, #names)
    local raws = call('HMGET', U .. 'h' .. place, unpack(names, at, last))
    for i = at, last do
      local raw = raws[i - at + 1]
      local e = image(U, place, cuts, cut, names[i])
      if e then
        raw = call('HGET', U .. 'u' .. e .. '.' .. place, names[i])
        raw = raw and string.sub(raw, 1, 1) == '\1' and string.sub(raw, 2)
      end
      out[#out + 1], out[#out + 2] = names[i], raw
      size = size + #names[i] + (raw and #raw or 0)
    end
    at = last + 1
    if size * 2 < bytes and step < 1024 then step = step * 2 end
  end
  if at <= #names then more = 1 end
  return {'OK', m[1], m[2], more, out}
end

-- Elements from an index on, until there are enough.
local function elements(list, at, length)
  local found, step = {}, 16
  while at < length and got < rows and size < bytes do
    local some = call('LRANGE', list, at, math.min(at + math.min(step, rows - got), length) - 1)
    for _, element in ipairs(some) do
      found[#found + 1] = element
      size = size + #element
    end
    at, got = at + #some, got + #some
    if size * 2 < bytes and step < 1024 then step = step * 2 end
  end
  return found, at < length
end

-- Subkeys of a large map, by its own index.
local function sorted(map, order, low)
  local found, rest, step = {}, true, 16
  while rest and got < rows and size < bytes do
    local count = math.min(step, rows - got)
    local subs = call('ZRANGEBYLEX', order, low, to, 'LIMIT', 0, count)
    rest = #subs == count
    if #subs > 0 then
      local raws = call('HMGET', map, unpack(subs))
      for i, sub in ipairs(subs) do
        found[#found + 1], found[#found + 2] = sub, raws[i]
        size = size + #sub + #raws[i]
      end
      low, got = '(' .. subs[#subs], got + #subs
    end
    if size * 2 < bytes and step < 1024 then step = step * 2 end
  end
  return found, rest
end

for i, key in ipairs(names) do
  if got >= rows or size >= bytes then
    more = 1
    break
  end
  local e = image(U, place, cuts, cut, key)
  local tail = (e and e .. '.' or '') .. place .. ':' .. key
  local name, order = U .. (e and 'w' or 'k') .. tail, U .. (e and 'y' or 'x') .. tail
  local found, rest, head = {}, false, ''
  if model == 'm' then
    if call('EXISTS', order) == 1 then
      found, rest = sorted(name, order, key == start and from or '-')
    else
      found = call('HGETALL', name)
      -- Most of the key that the page begins in may have been seen: it must not fill the page.
      if key ~= start then
        got = got + #found / 2
        for _, part in ipairs(found) do size = size + #part end
      end
    end
  else
    local length = call('LLEN', name)
    if ttl == 1 and length > 0 then head = string.sub(call('LINDEX', name, 0), 9) end
    local at = ttl
    if key == start and from ~= '' then at = position(name, from, ttl, length) end
    found, rest = elements(name, at, length)
    if key ~= start then got = got + ttl end
  end
  out[#out + 1] = {key, head, rest and 1 or 0, found}
  if rest then
    more = 1
    break
  end
end
return {'OK', m[1], m[2], more, out}
