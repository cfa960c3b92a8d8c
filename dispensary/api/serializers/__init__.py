"""The shapes of bodies, in and out. They translate; they decide nothing and write nothing."""
