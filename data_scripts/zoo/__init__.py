"""Make the zoo that comes with the package."""
