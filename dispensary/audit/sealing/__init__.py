"""Signed checkpoints: the sealer, its keys and state, the Merkle tree, witnesses, and checkpoints sent elsewhere."""
