from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class MeetingsConfig(AppConfig):
    name = "meetings"
    verbose_name = "Meetings"

    def ready(self) -> None:
        """Connects the signal receivers."""
        from meetings.accounts import signout  # noqa: F401
        from meetings.postgresql.patience import never_hurry
        from meetings.search.finding import ensure_index
        from meetings.store import deletion  # noqa: F401

        pre_migrate.connect(never_hurry, sender=self)
        post_migrate.connect(ensure_index, sender=self)
