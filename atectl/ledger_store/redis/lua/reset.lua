-- Forget one account, or all, with the finished and lost leases and what was used on each day.
--
-- Running leases stay. What they have used so far belongs to the account that was forgotten.
--
-- KEYS: meta, accounts, peaks, running, heard, finished, ended, sessions, totals, merged, then all days.
-- ARGV: the principal, or '' for all; the time in seconds, or '' for the server's; after how many
--   seconds without a word of its host a lease is lost.
-- Returns the number of accounts.
local ACCOUNTS, PEAKS, RUNNING, HEARD = KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local FINISHED, ENDED, SESSIONS, FIRST_DAY_KEY = KEYS[6], KEYS[7], KEYS[8], 11
local PRINCIPAL, LOST_S = ARGV[1], tonumber(ARGV[3])
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end

-- A lease that names nobody was damaged. No reset would ever be about it, so each is.
local function is_chosen(text)
  local principal = string.match(text, '^([%w_.@/+-]+)%z', 114)
  return PRINCIPAL == '' or not principal or principal == PRINCIPAL
end

local function is_lost(session)
  local heard = redis.call('ZSCORE', SESSIONS, session)
  return not heard or now - heard > LOST_S
end

local function each(hash, act)
  local found = redis.call('HGETALL', hash)
  for place = 1, #found, 2 do act(found[place], found[place + 1]) end
end

local forgotten
if PRINCIPAL == '' then
  forgotten = redis.call('HLEN', ACCOUNTS)
  redis.call('DEL', ACCOUNTS, PEAKS, FINISHED, ENDED, KEYS[9], KEYS[10])
  for place = FIRST_DAY_KEY, #KEYS do redis.call('DEL', KEYS[place]) end
else
  local account = redis.call('HGET', ACCOUNTS, PRINCIPAL)
  forgotten = account and 1 or 0
  if account then
    redis.call('HDEL', ACCOUNTS, PRINCIPAL)
    redis.call('ZREM', PEAKS, string.sub(account, 1, 8) .. PRINCIPAL)
  end
  for _, member in ipairs(redis.call('ZRANGE', ENDED, 0, -1)) do
    local id = string.sub(member, 9)
    local text = redis.call('HGET', FINISHED, id)
    if text and is_chosen(text) then
      redis.call('HDEL', FINISHED, id)
      redis.call('ZREM', ENDED, member)
    end
  end
  for place = FIRST_DAY_KEY, #KEYS do
    for _, field in ipairs(redis.call('HKEYS', KEYS[place])) do
      if string.match(field, '^[^%z]*') == PRINCIPAL then
        redis.call('HDEL', KEYS[place], field)
        redis.pcall('HINCRBY', KEYS[place], '\0', -1)  -- unless the count is damaged
      end
    end
    redis.call('HDEL', KEYS[place], '\0' .. PRINCIPAL)
  end
end
each(RUNNING, function(id, text)
  if not is_chosen(text) then return end
  if is_lost(string.sub(text, 18, 33)) then
    redis.call('HDEL', RUNNING, id)
    redis.call('ZREM', HEARD, id)
  else
    redis.call('HSET', RUNNING, id, '\1' .. string.rep('\0', 8) .. string.sub(text, 10))
  end
end)
return forgotten
