-- Take a lock for a while, unless somebody else holds it.
--
-- KEYS: the lock, its holder record, its fence (all in one hash slot).
-- ARGV: the token; the TTL in milliseconds; the work's longest time in seconds, or nothing if it
--   may take any time; then the fields of the holder record and their values, in turn.
-- Returns {1, fence} if the lock is held now. Otherwise {0, the token in the lock, its remaining
--   TTL in milliseconds (-1 if it has none), the holder record as fields and values in turn}.
--
-- The same token may ask again, as it must after an answer that did not come.
local lock, holder, fence = KEYS[1], KEYS[2], KEYS[3]
local token, ttl_ms, longest_s = ARGV[1], ARGV[2], ARGV[3]

local present = redis.call('GET', lock)
if present and present ~= token then
  return {0, present, redis.call('PTTL', lock), redis.call('HGETALL', holder)}
end

-- The lock comes last: whatever is refused before leaves none behind. A number that is skipped
-- does no harm.
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
