"""Scripts that tests have a server run."""

DELETE_OWN = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
"""Delete a key that holds a given text; 1 if it did."""
