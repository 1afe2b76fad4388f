"""What a replay leaves, offline or live: its files, its summary, its report."""
