-- Functions of several scripts.
local function less(a, b)
  local a1, a2 = struct.unpack('>I4I4', a)
  local b1, b2 = struct.unpack('>I4I4', b)
  return a1 < b1 or (a1 == b1 and a2 < b2)
end

local function join(high, low)
  return struct.pack('>I3I5', high, low)
end

local function ids(text)
  local out = {}
  for id in string.gmatch(text or '', '%d+') do out[#out + 1] = tonumber(id) end
  return out
end

local function each(first, last, step, visit)
  local at = first
  while at <= last do
    local to = math.min(at + step - 1, last)
    visit(at, to)
    at = to + 1
  end
end

-- The index of the first element at or behind the ordinal.
local function position(list, ordinal, from, length)
  local low, high = from, length
  while low < high do
    local middle = math.floor((low + high) / 2)
    if less(string.sub(call('LINDEX', list, middle), 1, 8), ordinal) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

-- The first cut from `cut` on that has a pre-image of the key; nil: the live one is it.
local function image(U, place, cuts, cut, key)
  for _, e in ipairs(cuts) do
    if e >= cut and call('ZSCORE', U .. 'v' .. e .. '.' .. place, key) then return e end
  end
end
