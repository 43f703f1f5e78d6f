"""What commands write: results on stdout, errors and notes on stderr, report files."""
