"""Evidence for somebody outside: bundles, proofs, exports, and the standalone verifier."""
