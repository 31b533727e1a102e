-- The most frequent commit: a few puts without revisions, while no cut keeps images. It comes before all else is
-- defined, because a definition costs as much as a command. Anything that is not as expected is left to commit.lua,
-- before a write.
-- ARGV[12] is 'F' if the changes are only `P, place, 0, count, pairs…` and `M, place, key, 0, count, pairs…`.
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
  local map, order = U .. 'k' .. tail, U .. 'x' .. tail
  if not set(map, rows, first, last) then return end
  call('ZADD', U .. 'o' .. place, 0, key)
  -- The index of subkeys, kept once there are many.
  if call('EXISTS', order) == 1 then
    add(order, rows, first, last, 2)
  elseif call('HLEN', map) > BIG then
    local all = call('HKEYS', map)
    add(order, all, 1, #all, 1)
  end
end

if ARGV[12] == 'F' and m[1] == ARGV[2] and m[2] == ARGV[3] and m[4] == '0' and tonumber(ARGV[5]) <= tonumber(m[5]) then
  local at, last = 13, #ARGV
  while at < last do
    if ARGV[at] == 'P' then
      local first, to = at + 4, at + 3 + 2 * tonumber(ARGV[at + 3])
      put_rows(ARGV[at + 1], ARGV, first, to)
      at = to + 1
    else
      local first, to = at + 5, at + 4 + 2 * tonumber(ARGV[at + 4])
      put_subs(ARGV[at + 1], ARGV[at + 2], ARGV, first, to)
      at = to + 1
    end
  end
  return {'OK', struct.pack('>I3I5', tonumber(m[2]), tonumber(m[3])), 0}
end
