"""Reports as pages and as text."""
