"""Anime super-resolution: the paper's network and its kin, trained, evaluated and run."""
