from __future__ import annotations

import pytest
from django.test import Client

from meetings.accounts.signin import one_time_link


@pytest.mark.django_db
def test_a_used_sign_in_link_is_not_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    link = one_time_link("http://testserver").removeprefix("http://testserver")
    assert client.get(link).status_code == 302
    client.logout()
    assert client.get(link).status_code == 403
    assert link.rstrip("/").rpartition("/")[2] not in caplog.text
