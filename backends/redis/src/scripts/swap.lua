-- Changes a hash if it still has the version it was read at.
-- ARGV: version ('' where there is none yet), number of fields to remove, these, then fields and values.
local found = redis.call('HGET', KEYS[1], 'v') or ''
if found ~= ARGV[1] then return 0 end
local gone = tonumber(ARGV[2])
for i = 3, 2 + gone do redis.call('HDEL', KEYS[1], ARGV[i]) end
for i = 3 + gone, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return redis.call('HINCRBY', KEYS[1], 'v', 1)
