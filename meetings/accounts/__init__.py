"""Who comes in: accounts, links, sign-ins, and how often something may be tried."""
