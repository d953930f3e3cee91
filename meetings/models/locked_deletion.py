"""Rows that others may still add to while they are deleted."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import models, transaction

Row = TypeVar("Row", bound=models.Model, covariant=True)


class LockedQuerySet(models.QuerySet[Row]):
    """Rows that are deleted with a lock on them."""

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete the rows and what belongs to them.

        Django collects what belongs to a row before its transaction. What another process added in between would belong
        to nothing, and the deletion would fail.
        """
        with transaction.atomic():
            list(self.order_by().select_for_update().values_list("pk", flat=True))
            return super().delete()


class LockedDeletion(models.Model):
    """A model whose rows are deleted with a lock on them."""

    objects = LockedQuerySet.as_manager()

    class Meta:
        abstract = True

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the row as `LockedQuerySet.delete` does."""
        with transaction.atomic():
            type(self)._base_manager.select_for_update().filter(pk=self.pk).first()
            return super().delete(*args, **kwargs)
