"""Any rules of an arbiter, for properties that hold under all of them."""

from hypothesis import strategies as st

from atectl.arbitration.policies import (
    BACKPRESSURES,
    NO_BACKPRESSURE,
    POLICY_NAMES,
    rules,
)

GUARDED = tuple(name for name in BACKPRESSURES if name != NO_BACKPRESSURE)

policy_names = st.none() | st.sampled_from(POLICY_NAMES)
any_rules = st.builds(rules, st.sampled_from(BACKPRESSURES), policy_names)
guarded_rules = st.builds(rules, st.sampled_from(GUARDED), policy_names)
choosing_rules = guarded_rules.filter(lambda found: found.policy.name != "none")
