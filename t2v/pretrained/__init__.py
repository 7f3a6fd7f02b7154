"""Networks by name and their weights; `imagenet` and `synthetic` come with the package."""
