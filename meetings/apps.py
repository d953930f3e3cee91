from django.apps import AppConfig


class MeetingsConfig(AppConfig):
    name = "meetings"
    verbose_name = "Meetings"

    def ready(self) -> None:
        """Connects the signal receivers."""
        from meetings import account_models, signout  # noqa: F401, I001
        from meetings import deletion  # noqa: F401
