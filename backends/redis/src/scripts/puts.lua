-- The most frequent commit: a few puts without revisions, while no cut keeps images. It comes before all else is
-- defined, because a definition costs as much as a command. Anything that is not as expected is left to commit.lua,
-- before a write.
-- ARGV[12] is 'F' if the changes are only `P, place, 0, count, pairs…` and `M, place, key, 0, count, pairs…`, of few
-- enough pairs for one command each.
local m = call('HMGET', KEYS[1], 'e', 'i', 'q', 'c', 'x', 'os', 'on', 'f', 'cl', 'cs')
local U = ARGV[1]

-- Names in an order index.
local function add(order, names, first, last, step)
  local members = {}
  for at = first, last, step do
    members[#members + 1] = 0
    members[#members + 1] = names[at]
    if #members >= 2 * CHUNK or at + step > last then
      call('ZADD', order, unpack(members))
      members = {}
    end
  end
end

-- New pairs of a map, `first` to `last` of `rows`: the key's own entry, and the index of subkeys, kept once there are
-- many.
local function index(place, tail, key, rows, first, last)
  local order = U .. 'x' .. tail
  call('ZADD', U .. 'o' .. place, 0, key)
  if call('EXISTS', order) == 1 then
    add(order, rows, first, last, 2)
  elseif call('HLEN', U .. 'k' .. tail) > BIG then
    local all = call('HKEYS', U .. 'k' .. tail)
    add(order, all, 1, #all, 1)
  end
end

if ARGV[12] == 'F' and m[1] == ARGV[2] and m[2] == ARGV[3] and m[4] == '0' and tonumber(ARGV[5]) <= tonumber(m[5]) then
  local rows, orders, maps = U .. 'h', U .. 'o', U .. 'k'
  local at, last = 13, #ARGV
  while at < last do
    if ARGV[at] == 'P' then
      local first, to = at + 4, at + 3 + 2 * ARGV[at + 3]
      if call('HSET', rows .. ARGV[at + 1], unpack(ARGV, first, to)) > 0 then
        add(orders .. ARGV[at + 1], ARGV, first, to, 2)
      end
      at = to + 1
    else
      local first, to = at + 5, at + 4 + 2 * ARGV[at + 4]
      local tail = ARGV[at + 1] .. ':' .. ARGV[at + 2]
      if call('HSET', maps .. tail, unpack(ARGV, first, to)) > 0 then
        index(ARGV[at + 1], tail, ARGV[at + 2], ARGV, first, to)
      end
      at = to + 1
    end
  end
  return {'OK', struct.pack('>I3I5', tonumber(m[2]), tonumber(m[3])), 0}
end

-- Pairs of `rows` in a hash; answers whether some are new.
local function set(hash, rows, first, last)
  if last - first < 2 * CHUNK then return call('HSET', hash, unpack(rows, first, last)) > 0 end
  local new = 0
  for from = first, last, 2 * CHUNK do
    new = new + call('HSET', hash, unpack(rows, from, math.min(from + 2 * CHUNK - 1, last)))
  end
  return new > 0
end

local function put_rows(place, rows, first, last)
  if set(U .. 'h' .. place, rows, first, last) then add(U .. 'o' .. place, rows, first, last, 2) end
end

local function put_subs(place, key, rows, first, last)
  local tail = place .. ':' .. key
  if set(U .. 'k' .. tail, rows, first, last) then index(place, tail, key, rows, first, last) end
end
