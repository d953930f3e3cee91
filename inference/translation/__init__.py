"""Caption translation: `translator` is the public interface, `bergamot` and `m2m100` are the models behind it."""
