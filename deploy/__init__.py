"""One way to run Dispensary: settings, processes, the demo. A site of your own needs nothing of this package."""
