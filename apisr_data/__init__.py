"""Turn anime videos into a curated super-resolution training set: I-frames, scores, duplicates, manifest."""
