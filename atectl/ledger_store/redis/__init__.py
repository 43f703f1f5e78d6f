"""The ledger of many hosts, in one Redis or Valkey."""
