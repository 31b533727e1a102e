-- What the scripts share. A unit's keys have one hash tag; `m` is its meta hash:
-- e epoch, i incarnation, q sequence, f floor of time, os/on next list ordinal,
-- c newest cut kept, x greatest cut seen, cl open cuts, cs cuts whose pre-images are kept,
-- cg cuts whose pre-images are to be swept.
-- Keys are never compared with `<` (strcoll) and u64 never become numbers (doubles).
local call, unpack, tonumber = redis.call, unpack, tonumber
local CHUNK = 2000
local BIG = 512

-- In a Cluster a slot may be on its way to another node, and some of the unit's keys with it: what is not here would
-- be taken for absent. A key that never exists makes Redis refuse the script then, before it did anything.
if string.find(ARGV[1], '{%d+%.%d+}$') then call('EXISTS', KEYS[1], ARGV[1] .. '~') end
