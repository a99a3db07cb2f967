"""The same token endpoint on Authlib's Django integration, with tables of its own."""
