"""Training from a manifest: the recipe, the loop, and what it keeps."""
