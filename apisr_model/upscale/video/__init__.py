"""Videos through a network: read, computed, written, and everything else in the file carried along."""
