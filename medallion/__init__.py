"""From messages to features: bronze, silver and gold, one module a table, pure DataFrame to DataFrame."""
