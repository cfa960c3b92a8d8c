"""System checks: what a site must have right before anybody dispenses."""
