-- Take a lock with a TTL, unless somebody else holds it.
--
-- KEYS: the lock, its holder record, its fence (all in one hash slot).
-- ARGV: the token; the TTL in milliseconds; how long the work may take in seconds, empty for any
--   time; then the fields of the holder record and their values, in turn.
-- Returns {1, fence} if the lock is held now. Otherwise {0, the token in the lock, its remaining
--   TTL in milliseconds (-1 if it has none), the holder record as fields and values in turn}.
--
-- The same token may ask again. It has to if an answer did not come.
local lock, holder, fence = KEYS[1], KEYS[2], KEYS[3]
local token, ttl_ms, longest_s = ARGV[1], ARGV[2], ARGV[3]

local present = redis.call('GET', lock)
if present and present ~= token then
  return {0, present, redis.call('PTTL', lock), redis.call('HGETALL', holder)}
end

-- The lock is written last: if a command before is refused, no lock is left behind. Then the number
-- is skipped, which does no harm.
local number = redis.call('INCR', fence)
local now = redis.call('TIME')
local since = now[1] + now[2] / 1000000
local deadline = ''
if longest_s ~= '' then
  deadline = string.format('%.3f', since + longest_s)
end
redis.call('DEL', holder)
redis.call('HSET', holder, 'token', token, 'fence', number,
  'since', string.format('%.3f', since), 'deadline', deadline, unpack(ARGV, 4))
redis.call('PEXPIRE', holder, ttl_ms)
redis.call('SET', lock, token, 'PX', ttl_ms)
return {1, number}
