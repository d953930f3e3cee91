"""The verbs over a meeting's rows: every change of what people read has its place here."""
