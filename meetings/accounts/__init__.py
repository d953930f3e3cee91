"""Who may do what: accounts, sign-in, links, page tokens and API tokens."""
