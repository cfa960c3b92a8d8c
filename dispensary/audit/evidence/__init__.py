"""Evidence for auditors: bundles, proofs, exports, and the standalone verifier."""
