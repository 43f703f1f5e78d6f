"""Loading many capsules: each judged, compiled and started apart, within one limit."""
