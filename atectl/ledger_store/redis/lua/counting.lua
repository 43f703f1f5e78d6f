-- What a ledger counts: the part that its scripts have in common, and that comes first in each.
--
-- The rules are those of atectl/accounting.py, and a test holds both to one another. Numbers are
-- eight bytes, the highest first, since Lua's own are exact to 2^53 only; they stop at 2^63 - 1.
--
-- KEYS: meta, accounts, peaks, running, heard, finished, ended, sessions, sequences, totals,
--   merged, then the days from the first one on, one key a day.
-- ARGV: the schema's version; the session, which is one host process; its sequence number; the
--   time in seconds, or '' for the server's; the most accounts; the first day; the most named sums
--   of a day; the most sums of one principal; the most finished leases; the most lost ones; after
--   how many seconds a lease is lost, and joins the finished ones, and a session is forgotten; the
--   days that sums are kept; the last sequence number of the session that it knows to be taken;
--   then the words of what is told.
-- Returns {1 if it was taken, 0 if a later one was before, 2 if the first day is after today, 3 if
--   what the session was told to be taken is lost; the sequence number known until then, 0 if none
--   was; the version of the schema there; today}.
local META, ACCOUNTS, PEAKS, RUNNING, HEARD = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local FINISHED, ENDED, SESSIONS, SEQUENCES = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local TOTALS, MERGED, FIRST_DAY_KEY, FIRST_TOLD = KEYS[10], KEYS[11], 12, 16
local SCHEMA, SESSION, SEQUENCE = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local CAPACITY, FIRST_DAY = tonumber(ARGV[5]), tonumber(ARGV[6])
local MAX_NAMED, MAX_OWN = tonumber(ARGV[7]), tonumber(ARGV[8])
local MAX_FINISHED, MAX_LOST, LOST_S = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local SILENCE_S, FORGET_S, KEPT_DAYS = tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14])
local ACKNOWLEDGED = tonumber(ARGV[15])
local DAY_S, NOTED_S, AT_ONCE, WORD = 86400, 60, 100, 4294967296
local FULL, OTHERS = '\127' .. string.rep('\255', 7), '*'
-- The least bytes of a record. What has fewer was damaged, and costs no other its count.
local ACCOUNT_BYTES, LEASE_BYTES, SUMS_BYTES = 112, 113, 48

local function is_count(text) return #text <= 15 and string.match(text, '^%-?%d+$') end

-- A script that fails half way has done its first half: so it begins only if it can end.
local KINDS = {'hash', 'hash', 'zset', 'hash', 'zset', 'hash', 'zset', 'zset', 'hash'}
for place, key in ipairs(KEYS) do
  local kind, expected = redis.call('TYPE', key)['ok'], KINDS[place] or 'hash'
  if kind ~= 'none' and kind ~= expected then
    return redis.error_reply('WRONGTYPE ' .. key .. ' holds a ' .. kind .. ', not a ' .. expected)
  end
end
local NUMBERS = {'serial', 'leases', 'ends'}
for place, text in ipairs(redis.call('HMGET', META, unpack(NUMBERS))) do
  if text and not is_count(text) then
    return redis.error_reply('WRONGTYPE ' .. META .. ' holds no number as ' .. NUMBERS[place])
  end
end

local now = tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end
local today = math.floor(now / DAY_S)
local schema = redis.call('HGET', META, 'schema') or SCHEMA
if tonumber(schema) ~= SCHEMA then return {0, 0, schema, today} end
local told = redis.call('HGET', SEQUENCES, SESSION)
local known = told and is_count(told) and tonumber(told) or 0
if SEQUENCE <= known then return {0, known, schema, today} end
-- Before anything is taken: if this answer is lost, too, the next one is the same.
if known < ACKNOWLEDGED then return {3, known, schema, today} end
if today < FIRST_DAY then return {2, known, schema, today} end

-- An amount is a number where that is exact, and eight bytes from 2^53 on.
local function exact(high, low)
  if high < 2097152 then return high * WORD + low end
  return struct.pack('>I4I4', high, low)
end

local function halves(a)
  if type(a) == 'string' then return struct.unpack('>I4I4', a) end
  local high = math.floor(a / WORD)
  return high, a - high * WORD
end

local function number(a)
  if type(a) == 'number' then return a end
  local high, low = halves(a)
  return high * WORD + low
end

local function whole(n)
  if n >= 9223372036854775808 then return FULL end
  return exact(halves(n))
end

local function is_larger(a, b)
  if type(a) == 'number' and type(b) == 'number' then return a > b end
  local a_high, a_low = halves(a)
  local b_high, b_low = halves(b)
  return a_high > b_high or (a_high == b_high and a_low > b_low)
end

local function max(a, b) return is_larger(b, a) and b or a end

local function plus(a, b)
  if type(a) == 'number' and type(b) == 'number' and a + b < 9007199254740992 then return a + b end
  local a_high, a_low = halves(a)
  local b_high, b_low = halves(b)
  local high, low = a_high + b_high, a_low + b_low
  if low >= WORD then high, low = high + 1, low - WORD end
  if high >= 2147483648 then return FULL end
  return exact(high, low)
end

-- What a is more than b, 0 if it is less.
local function minus(a, b)
  if type(a) == 'number' and type(b) == 'number' then return a > b and a - b or 0 end
  if not is_larger(a, b) then return 0 end
  local a_high, a_low = halves(a)
  local b_high, b_low = halves(b)
  local high, low = a_high - b_high, a_low - b_low
  if low < 0 then high, low = high - 1, low + WORD end
  return exact(high, low)
end

local FORMATS = {}
for count = 1, 11 do FORMATS[count] = '>' .. string.rep('I4I4', count) end

local function unpacked(text, at, count)
  local words, amounts = {struct.unpack(FORMATS[count], text, at)}, {}
  for place = 1, count do amounts[place] = exact(words[2 * place - 1], words[2 * place]) end
  return amounts
end

local function packed(amounts)
  local words = {}
  for place = 1, #amounts do words[2 * place - 1], words[2 * place] = halves(amounts[place]) end
  return struct.pack(FORMATS[#amounts], unpack(words))
end

-- Usage: the high-water mark, fuel, CPU time, byte-milliseconds, leases, refused growths, traps,
-- CPU time of compiling.
local HIGH, FUEL, CPU, BYTE_MS, LEASES, REFUSED, FIELDS = 1, 2, 3, 4, 5, 6, 8
local NOTHING = {0, 0, 0, 0, 0, 0, 0, 0}

local function since(seen, counted)
  local new = {seen[HIGH]}
  for field = HIGH + 1, FIELDS do new[field] = minus(seen[field], counted[field]) end
  return new
end

-- Accounts: serial, peak, usage, quota, the lease whose quota that is, since, updated, capsule.
local accounts, opened_at = {}, struct.pack('>d', now)

-- An account; nil if there is none. A damaged one is false: it stays as it is, for whoever reads it
-- to be told.
local function account_of(principal)
  local found = accounts[principal]
  if found ~= nil then return found end
  local text = redis.call('HGET', ACCOUNTS, principal)
  if not text then return nil end
  if #text < ACCOUNT_BYTES then return false end
  found = unpacked(text, 1, 2)
  found = {
    serial = found[1], peak = found[2], usage = unpacked(text, 17, FIELDS),
    of_latest = string.sub(text, 81, 96), since = string.sub(text, 97, 104),
    capsule = string.sub(text, 113),
  }
  found.latest = unpacked(found.of_latest, 9, 1)[1]
  accounts[principal] = found
  return found
end

local function member_of(serial, principal) return packed({serial}) .. principal end

-- The account of a principal, or a new one, which displaces the lowest if need be; none if it may
-- not. The lowest is the one of the lowest peak; of several, the oldest, as members of one score are
-- in the order of their bytes.
local function account_for(principal, peak)
  local found = account_of(principal)
  if found ~= nil then return found end
  if redis.call('ZCARD', PEAKS) >= CAPACITY then
    local lowest = redis.call('ZRANGE', PEAKS, 0, 0, 'WITHSCORES')
    if number(peak) <= tonumber(lowest[2]) then return nil end
    local displaced = string.sub(lowest[1], 9)
    redis.call('ZREM', PEAKS, lowest[1])
    redis.call('HDEL', ACCOUNTS, displaced)
    accounts[displaced] = nil
  end
  local serial = redis.call('HINCRBY', META, 'serial', 1)
  redis.call('ZADD', PEAKS, number(peak), member_of(serial, principal))
  accounts[principal] = {
    serial = serial, peak = peak, usage = NOTHING, latest = 0, since = opened_at,
  }
  return accounts[principal]
end

local function put_accounts()
  for principal, account in pairs(accounts) do
    redis.call('HSET', ACCOUNTS, principal, packed({account.serial, account.peak})
      .. packed(account.usage) .. account.of_latest .. account.since .. opened_at
      .. account.capsule)
  end
end

-- Days: leases, CPU time, byte-milliseconds, fuel, refused growths, peak. What was read is kept
-- until all leases are counted: those of one spender are often told together.
local days = {}

local function sums_of(key, kept, field)
  if kept[field] then return kept[field] end
  local text = redis.call('HGET', key, field)
  -- Damaged ones begin anew.
  if text then kept[field] = #text < SUMS_BYTES and {0, 0, 0, 0, 0, 0} or unpacked(text, 1, 6) end
  return kept[field]
end

-- How many sums there are, of a principal or, for '', of all. A damaged count begins anew.
local function count_of(key, principal)
  local text = redis.call('HGET', key, '\0' .. principal)
  return text and is_count(text) and tonumber(text) or 0
end

local function new_sums(key, kept, principal, field)
  for _, whose in ipairs({'', principal}) do
    redis.call('HSET', key, '\0' .. whose, count_of(key, whose) + 1)
  end
  if kept.day then
    local left_s = math.max(math.floor((kept.day + KEPT_DAYS) * DAY_S - now), 1)
    redis.call('PEXPIRE', key, left_s * 1000)
  end
  kept[field] = {0, 0, 0, 0, 0, 0}
  return kept[field]
end

-- The sums that take what a spender used: see `kept_as` of accounting.py.
local function sums_for(key, kept, principal, host, label)
  local own = principal .. '\0' .. host .. '\0' .. label
  local found = sums_of(key, kept, own)
  if found then return found end
  local count = count_of(key, '')
  if count < MAX_NAMED and count_of(key, principal) < MAX_OWN then
    return new_sums(key, kept, principal, own)
  end
  local other = principal .. '\0' .. OTHERS .. '\0' .. OTHERS
  found = sums_of(key, kept, other)
  if found then return found end
  if count < 2 * MAX_NAMED then return new_sums(key, kept, principal, other) end
  other = OTHERS .. '\0' .. OTHERS .. '\0' .. OTHERS
  return sums_of(key, kept, other) or new_sums(key, kept, OTHERS, other)
end

local function add_to_day(day, lease, new)
  if day <= today - KEPT_DAYS then return end
  local key = KEYS[FIRST_DAY_KEY + day - FIRST_DAY]
  days[key] = days[key] or {day = day}
  local sums = sums_for(key, days[key], lease.principal, lease.host, lease.label)
  for place = 1, 5 do sums[place] = plus(sums[place], new[place]) end
  sums[6] = max(sums[6], lease.peak)
end

-- The sums of all time, by host.
local function add_to_totals(host, new, peak)
  days[TOTALS] = days[TOTALS] or {}
  local sums = sums_for(TOTALS, days[TOTALS], OTHERS, host, OTHERS)
  for place, field in ipairs({LEASES, CPU, BYTE_MS, FUEL, REFUSED}) do
    sums[place] = plus(sums[place], new[field])
  end
  sums[6] = max(sums[6], peak)
end

local function put_days()
  for key, kept in pairs(days) do
    kept.day = nil
    for field, sums in pairs(kept) do redis.call('HSET', key, field, packed(sums)) end
  end
end

local function part(amount, share)
  local some = whole(math.floor(number(amount) * share))
  return is_larger(some, amount) and amount or some
end

local function day_of(moment)
  local day = math.floor(moment / DAY_S)
  return day * DAY_S > moment and day - 1 or day
end

local function add_to_days(lease, new, from, to)
  to = math.max(to, 0)
  local last = day_of(to)
  local left = {new[LEASES], new[CPU], new[BYTE_MS], new[FUEL]}
  if not (from >= last * DAY_S and from <= to) then
    if not (from <= to) then from = to end
    from = math.max(from, (last - KEPT_DAYS + 1) * DAY_S, FIRST_DAY * DAY_S)
    for day = day_of(from), last - 1 do
      local midnight = (day + 1) * DAY_S
      local share = (midnight - from) / (to - from)
      local some = {left[1]}
      for place = 2, 4 do some[place] = part(left[place], share) end
      for place = 1, 4 do left[place] = minus(left[place], some[place]) end
      some[5] = 0
      add_to_day(day, lease, some)
      from = midnight
    end
  end
  left[5] = new[REFUSED]
  add_to_day(last, lease, left)
end
