"""What views draw with: columns, bars, charts, and what a live screen has."""
