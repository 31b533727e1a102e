-- Names of a cut, unmerged: of the live index, then of each cut's pre-images.
-- ARGV: U, place, cut, min, max, count.
local U, place, cut = ARGV[1], ARGV[2], tonumber(ARGV[3])
local m = call('HMGET', KEYS[1], 'i', 'cs')
if not m[1] then return {'LOST'} end
local out = {'OK', call('ZRANGEBYLEX', U .. 'o' .. place, ARGV[4], ARGV[5], 'LIMIT', 0, ARGV[6])}
for _, e in ipairs(ids(m[2])) do
  if e >= cut then
    out[#out + 1] = call('ZRANGEBYLEX', U .. 'v' .. e .. '.' .. place, ARGV[4], ARGV[5], 'LIMIT', 0, ARGV[6])
  end
end
return out
