"""Is the bench what its file says? Proving, zeroing, due dates, and the history that is kept of them."""
