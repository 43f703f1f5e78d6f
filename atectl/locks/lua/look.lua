-- Look at one lock.
--
-- KEYS: the lock.
-- ARGV: none.
-- Returns {what it holds, or false if it is no string or not there; its type; its remaining TTL in
--   milliseconds, -1 if it has none, -2 if it is not there; when it expires by the server's clock,
--   in milliseconds since 1970, -1 if it never does}.
local kind = redis.call('TYPE', KEYS[1])['ok']
local token = kind == 'string' and redis.call('GET', KEYS[1])
local ttl_ms = redis.call('PTTL', KEYS[1])
local expires_ms = -1
if ttl_ms >= 0 then
  local now = redis.call('TIME')
  expires_ms = now[1] * 1000 + math.floor(now[2] / 1000) + ttl_ms
end
return {token, kind, ttl_ms, expires_ms}
