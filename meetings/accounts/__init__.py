"""Authorization: accounts, sign-in, links, page tokens and API tokens."""
