"""Views, forms and HTTP endpoints."""
