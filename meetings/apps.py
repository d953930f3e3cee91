from django.apps import AppConfig
from django.db.models.signals import post_migrate


class MeetingsConfig(AppConfig):
    name = "meetings"
    verbose_name = "Meetings"

    def ready(self) -> None:
        """Connects the signal receivers."""
        from meetings import account_models, signout  # noqa: F401, I001
        from meetings import deletion  # noqa: F401
        from meetings.search import ensure_index

        post_migrate.connect(ensure_index, sender=self)
