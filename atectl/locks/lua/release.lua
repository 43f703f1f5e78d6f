-- Delete a lock and its holder record, if the lock still has our token. The fence stays.
--
-- KEYS: the lock; its holder record, unless that is to be left alone.
-- ARGV: the token.
-- Returns 1 if it was released, 0 if the lock was not ours.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', unpack(KEYS))
return 1
