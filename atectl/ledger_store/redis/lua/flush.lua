-- Take the state of some leases of one host process: count what is new of them.
--
-- It follows counting.lua. Of each lease there are seven words: id, principal, host, label, capsule,
-- numbers, record.
local WORDS = 7

-- Leases: whether it was ever in an account, that account's serial, its number among all leases,
-- its session, usage, when its host told of it, when that was noted, its principal, its record.
local function stored(id)
  local text = redis.call('HGET', RUNNING, id)
  local is_finished = false
  if not text then
    text = redis.call('HGET', FINISHED, id)
    is_finished = text and true
  end
  -- Of a damaged one nothing is known.
  if not text or #text < LEASE_BYTES then return nil end
  local numbers = unpacked(text, 2, 2)
  local heard, noted = struct.unpack('>dd', text, 98)
  return {
    is_finished = is_finished, has_account = string.byte(text) == 1, account = numbers[1],
    born = numbers[2], session = string.sub(text, 18, 33), usage = unpacked(text, 34, FIELDS),
    heard = heard, noted = noted,
  }
end

local function end_lease(id, score)
  local end_number = redis.call('HINCRBY', META, 'ends', 1)
  redis.call('HDEL', RUNNING, id)
  redis.call('ZREM', HEARD, id)
  redis.call('ZADD', ENDED, score, packed({end_number}) .. id)
end

local function charge(account, lease, before, new, born)
  if not (before and before.has_account) then
    new = lease.usage
  elseif before.account ~= account.serial then
    new[LEASES] = lease.usage[LEASES]
  end
  if is_larger(lease.peak, account.peak) then
    account.peak = lease.peak
    redis.call('ZADD', PEAKS, number(lease.peak), member_of(account.serial, lease.principal))
  end
  local usage = {max(account.usage[HIGH], new[HIGH])}
  for field = HIGH + 1, FIELDS do usage[field] = plus(account.usage[field], new[field]) end
  account.usage = usage
  if not is_larger(account.latest, born) then
    account.of_latest, account.latest = lease.quota .. packed({born}), born
    account.capsule = lease.capsule
  end
end

local function take(at)
  local numbers = ARGV[at + 5]
  local lease = {
    id = ARGV[at], principal = ARGV[at + 1], host = ARGV[at + 2], label = ARGV[at + 3],
    capsule = ARGV[at + 4], peak = unpacked(numbers, 2, 1)[1],
    usage = unpacked(numbers, 10, FIELDS), quota = string.sub(numbers, 74, 81),
  }
  local is_finished = string.byte(numbers) == 1
  local started, updated = struct.unpack('>dd', numbers, 82)
  local before = stored(lease.id)
  if before and before.session ~= SESSION then
    -- Told by another process for this one's host, as from a spool: it may be the older of two.
    if before.is_finished and not is_finished or updated < before.heard then return end
  end
  local new = since(lease.usage, before and before.usage or NOTHING)
  add_to_days(lease, new, before and before.heard or started, math.min(now, updated))

  add_to_totals(lease.host, new, lease.peak)

  local born = before and before.born or redis.call('HINCRBY', META, 'leases', 1)
  local has_account, serial = before and before.has_account, before and before.account or 0
  local account = account_for(lease.principal, lease.peak)
  if account then
    charge(account, lease, before, new, born)
    has_account, serial = true, account.serial
  end
  -- When it was noted need not be exact, and is so only once in a while.
  local noted = before and now - before.noted < NOTED_S and before.noted or now
  local text = (has_account and '\1' or '\0') .. packed({serial, born}) .. SESSION
    .. string.sub(numbers, 10, 73) .. struct.pack('>dd', updated, noted)
    .. lease.principal .. '\0' .. ARGV[at + 6]
  if not is_finished then
    redis.call('HSET', RUNNING, lease.id, text)
    if noted == now then redis.call('ZADD', HEARD, now, lease.id) end
    return
  end
  redis.call('HSET', FINISHED, lease.id, text)
  if not (before and before.is_finished) then end_lease(lease.id, now) end
end

-- Leases that are lost for long, or too many of them, join the finished ones.
local function retire()
  local lost = redis.call('ZCOUNT', HEARD, '-inf', now - LOST_S - NOTED_S) - MAX_LOST
  local silent = redis.call('ZCOUNT', HEARD, '-inf', now - SILENCE_S)
  local count = math.min(math.max(lost, silent), AT_ONCE)
  if count <= 0 then return end
  local oldest = redis.call('ZRANGE', HEARD, 0, count - 1, 'WITHSCORES')
  for place = 1, #oldest, 2 do
    local id = oldest[place]
    local text = redis.call('HGET', RUNNING, id)
    if text then
      redis.call('HSET', FINISHED, id, text)
      end_lease(id, oldest[place + 1])
    else
      redis.call('ZREM', HEARD, id)
    end
  end
end

local function forget()
  local many = redis.call('ZCARD', ENDED) - MAX_FINISHED
  if many > 0 then
    for _, member in ipairs(redis.call('ZRANGE', ENDED, 0, many - 1)) do
      redis.call('HDEL', FINISHED, string.sub(member, 9))
      redis.call('ZREM', ENDED, member)
    end
  end
  local silent = redis.call('ZRANGEBYSCORE', SESSIONS, '-inf', now - FORGET_S, 'LIMIT', 0, AT_ONCE)
  for _, session in ipairs(silent) do
    redis.call('ZREM', SESSIONS, session)
    redis.call('HDEL', SEQUENCES, session)
  end
end

redis.call('HSET', META, 'schema', SCHEMA)
redis.call('HSET', SEQUENCES, SESSION, SEQUENCE)
redis.call('ZADD', SESSIONS, now, SESSION)
for at = FIRST_TOLD, #ARGV, WORDS do take(at) end
put_accounts()
put_days()
retire()
forget()
return {1, known, schema, today}
