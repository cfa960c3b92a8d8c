"""Signed checkpoints: sealer, keys, state, Merkle tree, witnesses, delivery."""
