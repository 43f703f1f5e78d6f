-- Take what another ledger has counted: accounts, sums of days, and sums of all time.
--
-- It follows counting.lua. What was taken of each is kept, so taking it again changes nothing. Of
-- each there are eight words: its name, which no other has; what it is, as account, day or total;
-- the day; principal, host, label, capsule; numbers. Those of an account are its peak, usage and
-- quota, and those of others are sums.
local WORDS = 8

-- What was taken of one before; all that is seen of it, if what is known of that is damaged.
local function taken_before(name, count, seen)
  local text = redis.call('HGET', MERGED, name)
  if not text then return {0, 0, 0, 0, 0, 0, 0, 0} end
  return #text < 8 * count and seen or unpacked(text, 1, count)
end

local function take_account(name, principal, capsule, numbers)
  local peak, seen = unpacked(numbers, 1, 1)[1], unpacked(numbers, 9, FIELDS)
  local account = account_for(principal, peak)
  if not account then return end
  local new = since(seen, taken_before(name, FIELDS, seen))
  if is_larger(peak, account.peak) then
    account.peak = peak
    redis.call('ZADD', PEAKS, number(peak), member_of(account.serial, principal))
  end
  local usage = {max(account.usage[HIGH], new[HIGH])}
  for field = HIGH + 1, FIELDS do usage[field] = plus(account.usage[field], new[field]) end
  account.usage = usage
  if account.latest == 0 then
    account.of_latest, account.capsule = string.sub(numbers, 73, 80) .. packed({0}), capsule
  end
  redis.call('HSET', MERGED, name, packed(seen))
end

local function take_sums(key, kept, name, principal, host, label, numbers)
  local seen = unpacked(numbers, 1, 6)
  local before = taken_before(name, 6, seen)
  local sums = sums_for(key, kept, principal, host, label)
  for place = 1, 5 do sums[place] = plus(sums[place], minus(seen[place], before[place])) end
  sums[6] = max(sums[6], seen[6])
  redis.call('HSET', MERGED, name, packed(seen))
end

local function take(at)
  local name, kind, day = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local principal, host, label = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  local capsule, numbers = ARGV[at + 6], ARGV[at + 7]
  if kind == 'account' then
    take_account(name, principal, capsule, numbers)
  elseif kind == 'total' then
    days[TOTALS] = days[TOTALS] or {}
    take_sums(TOTALS, days[TOTALS], name, principal, host, label, numbers)
  elseif day > today - KEPT_DAYS and day <= today then
    local key = KEYS[FIRST_DAY_KEY + day - FIRST_DAY]
    days[key] = days[key] or {day = day}
    take_sums(key, days[key], name, principal, host, label, numbers)
  end
end

redis.call('HSET', META, 'schema', SCHEMA)
for at = FIRST_TOLD, #ARGV, WORDS do take(at) end
put_accounts()
put_days()
return {1, known, schema, today}
