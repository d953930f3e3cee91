"""Full text search in everything that was said."""
