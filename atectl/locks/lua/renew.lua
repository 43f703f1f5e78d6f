-- Set the whole TTL of a lock and its holder record again, if the lock still has our token.
--
-- KEYS: the lock; its holder record, unless that is to be left alone.
-- ARGV: the token; the TTL in milliseconds.
-- Returns 1 if it was renewed, 0 if there is no lock any more, -1 if it is somebody else's.
local present = redis.call('GET', KEYS[1])
if not present then
  return 0
end
if present ~= ARGV[1] then
  return -1
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if KEYS[2] then
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
return 1
