-- Look at a sample key, lay it or remove it, unless something else has its place.
--
-- KEYS: the key.
-- ARGV: `look`, `lay` or `remove`; its TTL in milliseconds, 0 for none; `string` or `hash`; then the
--       text, or each field and its value.
-- Returns what was there before: `nothing`, `sample` or `other`. What is `other` stays as it is.
local key, deed, ttl, kind = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local there = redis.call('TYPE', key).ok
local found = 'sample'
if there == 'none' then
  found = 'nothing'
elseif there ~= kind then
  return 'other'
elseif kind == 'string' then
  if redis.call('GET', key) ~= ARGV[4] then return 'other' end
else
  if redis.call('HLEN', key) * 2 ~= #ARGV - 3 then return 'other' end
  for i = 4, #ARGV, 2 do
    if redis.call('HGET', key, ARGV[i]) ~= ARGV[i + 1] then return 'other' end
  end
end
if deed ~= 'look' then
  redis.call('DEL', key)
end
if deed == 'lay' then
  if kind == 'string' then
    redis.call('SET', key, ARGV[4])
  else
    redis.call('HSET', key, unpack(ARGV, 4))
  end
  if ttl ~= '0' then
    redis.call('PEXPIRE', key, ttl)
  end
end
return found
