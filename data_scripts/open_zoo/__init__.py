"""The shards of the library `open`, made from the publishers' archives."""
