"""The database and the files beside it. Every change of what people read is a function here."""
