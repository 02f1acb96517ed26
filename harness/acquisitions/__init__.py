"""Things done on the bench: each acquires for all lanes at once, records what it saw before anyone judges
it, and leaves the bench as it found it."""
