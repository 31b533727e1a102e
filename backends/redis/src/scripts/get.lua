-- Records at one instant: of a cut, or live ones where plain commands do not do (cut 0).
-- ARGV: U, cut, then for each record: model, place, ttl, key, sub.
-- Answers for each: the raw row or nothing, and the head of a list with TTL.
local U, cut = ARGV[1], tonumber(ARGV[2])
local m = call('HMGET', KEYS[1], 'i', 'f', 'cl', 'cs')
if not m[1] then return {'LOST'} end
local cuts = {}
if cut > 0 then
  local open = false
  for _, id in ipairs(ids(m[3])) do open = open or id == cut end
  if not open then return {'GONE'} end
  cuts = ids(m[4])
end
local out = {}
for at = 3, #ARGV, 5 do
  local model, place, ttl, key, sub = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3], ARGV[at + 4]
  local e = image(U, place, cuts, cut, key)
  local raw, head = false, ''
  if model == 'k' then
    if e then
      raw = call('HGET', U .. 'u' .. e .. '.' .. place, key)
      raw = raw and string.sub(raw, 1, 1) == '\1' and string.sub(raw, 2)
    else
      raw = call('HGET', U .. 'h' .. place, key)
    end
  else
    local name = e and U .. 'w' .. e .. '.' .. place .. ':' .. key or U .. 'k' .. place .. ':' .. key
    if model == 'm' then
      raw = call('HGET', name, sub)
    else
      local length = call('LLEN', name)
      if ttl == 1 and length > 0 then head = string.sub(call('LINDEX', name, 0), 9) end
      local index = position(name, sub, ttl, length)
      local found = index < length and call('LINDEX', name, index)
      raw = found and string.sub(found, 1, 8) == sub and string.sub(found, 9)
    end
  end
  out[#out + 1], out[#out + 2] = raw, head
end
return {'OK', m[1], m[2], out}
