-- Removes some of what a dropped state has in one group; nothing while a cut is open.
-- ARGV: U, place, model. Answers how much is left to do.
local U, place, model = ARGV[1], ARGV[2], ARGV[3]
local open = call('HGET', KEYS[1], 'c')
if open and open ~= '0' then return {'CUT'} end
if model ~= 'k' then
  local names = call('ZRANGE', U .. 'o' .. place, 0, 499)
  if #names > 0 then
    for _, key in ipairs(names) do call('UNLINK', U .. 'k' .. place .. ':' .. key, U .. 'x' .. place .. ':' .. key) end
    call('ZREM', U .. 'o' .. place, unpack(names))
    if #names == 500 then return {'OK', 1} end
  end
end
call('UNLINK', U .. 'h' .. place, U .. 'o' .. place)
return {'OK', 0}
