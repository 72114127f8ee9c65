"""Recipes, one TOML file a job; each runs as it stands and by name."""
