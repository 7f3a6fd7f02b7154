"""Networks by name and their weights; the network `synthetic` comes with the package."""
