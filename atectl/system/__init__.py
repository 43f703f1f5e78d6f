"""What this machine says of itself and of processes; nothing here knows of guests."""
