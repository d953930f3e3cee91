"""What people write instead of what the summariser wrote: kept, told, found, translated again; in the admin, too."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from meetings.export.summary import newest_summary
from meetings.models import Correction, Meeting, Summary
from meetings.search.finding import find
from meetings.store import serializers, summaries
from meetings.store.corrections import MAX_TEXT, ChangedMeanwhile, UnfitText
from meetings.store.reprocess import corrected_translations, translate_again
from meetings.store.summary_corrections import NoSuchSummary, Rewording, correct_summary, corrected_languages
from meetings.store.transcript import Lease, changes_after, take_lease
from tests.meetings.admin.test_admin import make_meeting

pytestmark = pytest.mark.django_db

FIXED, SIGNS = "The budget <b>is</b> fixed.", "Ana signs."
FECHADO, ASSINA = "O orçamento está fechado.", "A Ana assina."
PAGE = "/admin/meetings/summary/{}/change/"


@pytest.fixture
def summary() -> Summary:
    """Of two items, translated by a model."""
    meeting = make_meeting("Planning", "the budget is fixed")
    items = [
        {"kind": "decision", "text": FIXED, "owner": None, "segments": ["0"]},
        {"kind": "action", "text": SIGNS, "owner": "S1", "segments": ["0", "7"]},
    ]
    texts = {"text": "", "items": [FECHADO, ASSINA]}
    Meeting.objects.filter(pk=meeting.pk).update(last_seq=2)
    return Summary.objects.create(
        meeting=meeting, seq=2, from_s=0.0, to_s=60.0, language="en", items=items, translations={"pt": texts}
    )


def correct(summary: Summary, *rewordings: Rewording, language: str = "") -> int:
    return correct_summary(summary.meeting_id, summary.pk, {language: rewordings}, editor_id=None)


def read(summary: Summary, language: str = "") -> list[str]:
    """As a screen that reads in `language` is told."""
    [row] = [row for row in changes_after(summary.meeting_id, 0, limit=9) if isinstance(row, Summary)]
    message = serializers.summary(row, language)
    return [message["text"], *(item["text"] for item in message["items"])]


def history(summary: Summary) -> list[tuple[str, int | None, str, str]]:
    return [(row.language, row.item, row.before, row.after) for row in summary.corrections.all()]


def test_a_correction_is_a_change_that_everybody_reads_and_the_old_text_is_kept(summary: Summary) -> None:
    assert correct(summary, Rewording(0, " Mon\u202eey "), Rewording(2, "Rui signs.", SIGNS)) == 3
    assert read(summary) == ["Money", FIXED, "Rui signs."]
    assert history(summary) == [("", None, "", "Money"), ("", 2, SIGNS, "Rui signs.")]
    digest = newest_summary(summary.meeting, None)
    assert digest is not None
    assert [item.text for item in digest.items] == [FIXED, "Rui signs."], "in files"
    assert (len(find("rui", limit=9)), find("ana", limit=9)) == (1, [])


def test_translations_of_old_words_go_and_are_made_again(summary: Summary) -> None:
    correct(summary, Rewording(1, "Orçamento fechado."), language="pt")
    assert read(summary, "pt") == ["", "Orçamento fechado.", ASSINA]
    assert corrected_languages(summary) == []
    summary.refresh_from_db()
    assert corrected_languages(summary) == ["pt"]
    correct(summary, Rewording(2, "Rui signs."))
    assert read(summary, "pt") == ["", FIXED, "Rui signs."], "as written, until a worker has translated it"
    assert history(summary)[0] == ("pt", 1, FECHADO, "Orçamento fechado.")
    assert [row.pk for row in summaries.untranslated(summary.meeting_id, "pt", sources=["en"])] == [summary.pk]


def test_both_are_corrected_together(summary: Summary) -> None:
    changes = {"": [Rewording(2, "Rui signs.", SIGNS)], "pt": [Rewording(2, "O Rui assina.", ASSINA)]}
    correct_summary(summary.meeting_id, summary.pk, changes, editor_id=None)
    assert read(summary, "pt") == ["", FECHADO, "O Rui assina."]


def test_an_emptied_item_is_taken_away_in_every_language(summary: Summary) -> None:
    changes = {"": [Rewording(1, "")], "pt": [Rewording(2, "O Rui assina.")]}
    correct_summary(summary.meeting_id, summary.pk, changes, editor_id=None)
    assert read(summary) == ["", SIGNS]
    assert read(summary, "pt") == ["", "O Rui assina."]


def test_an_emptied_translation_is_made_again(summary: Summary) -> None:
    correct(summary, Rewording(1, "Orçamento fechado."), language="pt")
    correct(summary, Rewording(2, ""), language="pt")
    assert read(summary, "pt") == read(summary)
    assert len(summaries.untranslated(summary.meeting_id, "pt", sources=["en"])) == 1


def test_what_does_not_fit_changes_nothing(summary: Summary) -> None:
    with pytest.raises(ChangedMeanwhile):
        correct(summary, Rewording(0, "Money"), Rewording(1, "Signed.", "Lost."))
    with pytest.raises(ChangedMeanwhile):
        correct(summary, Rewording(1, "Firmado.", "Fijo."), language="es")
    with pytest.raises(UnfitText):
        correct(summary, Rewording(1, "a" * (MAX_TEXT + 1)))
    with pytest.raises(NoSuchSummary):
        correct_summary(summary.meeting_id, summary.pk + 1, {}, editor_id=None)
    assert correct(summary, Rewording(1, FIXED)) == 2, "the same words are no correction"
    assert not Correction.objects.exists()


def test_no_model_takes_a_correction_back(summary: Summary, broker_sync: object) -> None:
    """What a worker translates meanwhile comes too late; what is translated again leaves it out."""
    meeting = summary.meeting
    lease = Lease(meeting.pk, take_lease(meeting.pk).lease_epoch)
    correct(summary, Rewording(1, "Orçamento fechado."), language="pt")
    for texts in (["", FIXED, SIGNS], ["", FIXED, "Somebody signs."]):
        for language in ("pt", "es"):
            translated = [f"{language}: {text}" for text in texts]
            summaries.store_translation(lease, summary.pk, language, texts, translated=translated)
    assert read(summary, "pt") == ["", "Orçamento fechado.", ASSINA]
    assert read(summary, "es") == ["es: ", f"es: {FIXED}", f"es: {SIGNS}"]
    assert corrected_translations(meeting) == 1
    meeting.languages = ["es"]
    assert translate_again(meeting)
    assert read(summary, "pt") == ["", "Orçamento fechado.", ASSINA]
    assert read(summary, "es") == read(summary)


def test_the_next_summary_goes_on_from_the_corrected_one(summary: Summary) -> None:
    correct(summary, Rewording(2, "Rui signs."))
    request = summaries.next_request(summary.meeting_id, 0.0)
    assert request is not None
    assert request.notes is not None
    assert [item.text for item in request.notes.items] == [FIXED, "Rui signs."]


def form_of(summary: Summary, **texts: str) -> dict[str, str]:
    """As its page sends it; `written_1` is what is written in the first item."""
    seen = {"written-0": "", "written-1": FIXED, "written-2": SIGNS, "pt-0": "", "pt-1": FECHADO, "pt-2": ASSINA}
    written = {name: texts.get(name.replace("-", "_"), text) for name, text in seen.items()}
    inline = {"corrections-TOTAL_FORMS": "0", "corrections-INITIAL_FORMS": "0"}
    return {**{f"initial-{name}": text for name, text in seen.items()}, **written, **inline}


@pytest.mark.django_db(transaction=True)
def test_a_summary_is_corrected_in_the_admin(admin_client: Client, summary: Summary) -> None:
    page = PAGE.format(summary.pk)
    shown = admin_client.get(page).content.decode()
    assert "The budget &lt;b&gt;is&lt;/b&gt; fixed." in shown
    assert f'<a href="/m/{summary.meeting_id}/read/#c-7">7</a>' in shown
    assert "2. Action (S1)" in shown
    assert admin_client.post(page, form_of(summary, pt_1="Orçamento fechado.")).status_code == 302
    assert read(summary, "pt") == ["", "Orçamento fechado.", ASSINA]
    again = admin_client.post(page, form_of(summary, pt_1="Fechado.")).content.decode()
    assert "Somebody else has changed this line meanwhile" in again
    assert admin_client.post(page, form_of(summary, written_2="Rui signs.")).status_code == 302
    shown = admin_client.get(page).content.decode()
    assert "Corrected translations of the old words are made again, from the new ones: Portuguese." in shown
    assert [row.editor and row.editor.get_username() for row in summary.corrections.all()] == ["admin", "admin"]
    assert admin_client.get("/admin/meetings/summary/add/").status_code == 403
    assert "Planning" in admin_client.get("/admin/meetings/summary/").content.decode()


def test_who_may_only_look_reads_it(client: Client, summary: Summary) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_summary"))
    client.force_login(viewer)
    page = PAGE.format(summary.pk)
    shown = client.get(page).content.decode()
    assert "<b>decision</b> The budget &lt;b&gt;is&lt;/b&gt; fixed.  <small>0</small>" in shown
    assert '<div class="readonly">pt</div>' in shown
    assert client.post(page, form_of(summary, written_1="changed")).status_code == 403
    assert not Correction.objects.exists()
