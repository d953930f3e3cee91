"""The database and the files stored next to it. Every change of what people read is a function here."""
