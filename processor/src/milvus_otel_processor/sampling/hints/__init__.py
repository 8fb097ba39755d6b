"""What lets a policy be skipped, or answer early, apart from what it means."""
