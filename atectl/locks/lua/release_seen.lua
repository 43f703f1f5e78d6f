-- Delete a lock if it is still the one that was seen, and has not been renewed since.
--
-- KEYS: the lock; its holder record, where it can have one.
-- ARGV: the token that was seen; when the lock expired as it was seen, by the server's clock, in
--   milliseconds since 1970, -1 if it never did; how many milliseconds later still count as then.
-- Returns 'released', 'gone' (there is no lock), 'changed' (another token) or 'renewed' (the same
--   token, to expire later than was seen, or no longer as it was seen).
--
-- The moment of expiry stays the same until a lock is renewed, however long this call was under way.
-- The holder record is deleted, too, if it has the same token. Nothing else is touched.
local lock, holder = KEYS[1], KEYS[2]
local token, seen_ms, tolerance_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local kind = redis.call('TYPE', lock)['ok']
if kind == 'none' then
  return 'gone'
end
if kind ~= 'string' or redis.call('GET', lock) ~= token then
  return 'changed'
end

local ttl_ms = redis.call('PTTL', lock)
if (ttl_ms == -1) ~= (seen_ms == -1) then
  return 'renewed'
end
if ttl_ms >= 0 then
  local now = redis.call('TIME')
  local expires_ms = now[1] * 1000 + math.floor(now[2] / 1000) + ttl_ms
  if expires_ms > seen_ms + tolerance_ms then
    return 'renewed'
  end
end

redis.call('DEL', lock)
if holder and redis.call('TYPE', holder)['ok'] == 'hash'
    and redis.call('HGET', holder, 'token') == token then
  redis.call('DEL', holder)
end
return 'released'
