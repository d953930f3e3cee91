"""Every page, form and HTTP endpoint."""
