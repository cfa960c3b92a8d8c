"""CDS Hooks: orders of other systems reviewed while they are written or verified, answered as cards. Nothing is taken in."""
