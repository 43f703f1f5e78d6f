"""The ledger for the dashboards of others."""
