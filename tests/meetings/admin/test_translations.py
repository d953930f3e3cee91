"""Translations in the admin: found, corrected in their list, beside their caption, and made again."""

from __future__ import annotations

import pytest
from django.test import Client

from meetings.models import Caption, Correction, Meeting, Translation
from tests.meetings.admin.test_admin import make_meeting

pytestmark = pytest.mark.django_db

LIST = "/admin/meetings/translation/"
PAGE = "/admin/meetings/caption/{}/change/"
OLD, NEW = "O orçamento está fechado.", "O orçamento está assinado."


@pytest.fixture
def translation() -> Translation:
    caption = make_meeting("Planning", "The budget is fixed.").captions.get()
    return Translation.objects.create(caption=caption, language="pt", text=OLD)


def history(meeting: Meeting) -> list[tuple[str, str, str, str]]:
    rows = Correction.objects.filter(caption__meeting=meeting)
    return [(row.editor.get_username() if row.editor else "", row.language, row.before, row.after) for row in rows]


def page_of(translation: Translation, *, said: str, text: str, seen: str = OLD) -> dict[str, str]:
    """The form of its caption as a page sends it."""
    row = "translations-0"
    numbers = {f"{name}-INITIAL_FORMS": count for name, count in (("corrections", "0"), ("translations", "1"))}
    totals = {name.replace("INITIAL", "TOTAL"): count for name, count in numbers.items()}
    keys = {f"{row}-id": str(translation.pk), f"{row}-caption": str(translation.caption_id)}
    texts = {"initial-text": "The budget is fixed.", "text": said, f"initial-{row}-text": seen, f"{row}-text": text}
    return {**numbers, **totals, **keys, **texts}


def test_one_is_corrected_beside_its_caption(admin_client: Client, translation: Translation) -> None:
    meeting, page = translation.caption.meeting, PAGE.format(translation.caption_id)
    assert OLD in admin_client.get(page).content.decode()
    form = page_of(translation, said="The budget is fixed.", text=NEW)
    assert admin_client.post(page, form).status_code == 302
    translation.refresh_from_db()
    assert (translation.text, translation.is_text_fixed) == (NEW, True)
    assert history(meeting) == [("admin", "pt", OLD, NEW)]
    assert f'dir="auto">{OLD}</td>' in admin_client.get(page).content.decode(), "the model's wording, in the history"
    again = admin_client.post(page, {**form, "translations-0-text": "Fechado."}).content.decode()
    assert "Somebody else has changed this line meanwhile" in again
    assert history(meeting) == [("admin", "pt", OLD, NEW)]


def test_a_caption_and_its_translation_are_corrected_together(admin_client: Client, translation: Translation) -> None:
    caption = translation.caption
    form = page_of(translation, said="The budget is signed.", text=NEW)
    assert admin_client.post(PAGE.format(caption.pk), form).status_code == 302
    caption.refresh_from_db()
    assert (caption.text, caption.seq) == ("The budget is signed.", 3)
    assert list(caption.translations.values_list("text", "is_text_fixed")) == [(NEW, True)]
    assert history(caption.meeting) == [
        ("admin", "", "The budget is fixed.", "The budget is signed."),
        ("admin", "pt", "", NEW),
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("text", "is_told"), [(OLD, True), (NEW, False)])
def test_it_is_said_when_a_corrected_one_goes_with_its_caption(
    admin_client: Client, translation: Translation, text: str, is_told: bool
) -> None:
    Translation.objects.update(is_text_fixed=True)
    page = PAGE.format(translation.caption_id)
    admin_client.post(page, page_of(translation, said="The budget is signed.", text=text))
    shown = admin_client.get(page).content.decode()
    assert (
        "Corrected translations of the old words are made again, from the new ones: Portuguese." in shown
    ) is is_told


def test_they_are_found_and_corrected_in_their_list(admin_client: Client, translation: Translation) -> None:
    other = make_meeting("Retro", "Nothing of that.").captions.get()
    Translation.objects.create(caption=other, language="pt", text="Nada disso.")
    found = admin_client.get(LIST, {"q": "orcamento"}).context["cl"]
    assert list(found.result_list) == [translation]
    form = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": str(translation.pk), "_save": "Save"}
    form |= {"initial-form-0-text": OLD, "form-0-text": NEW}
    assert admin_client.post(f"{LIST}?q=orcamento", form).status_code == 302
    assert history(translation.caption.meeting) == [("admin", "pt", OLD, NEW)]
    assert admin_client.get(f"{LIST}add/").status_code == 403


def test_deleted_ones_are_told_to_screens(admin_client: Client, translation: Translation) -> None:
    assert admin_client.post(f"{LIST}{translation.pk}/delete/", {"post": "yes"}).status_code == 302
    caption = Caption.objects.get()
    assert (caption.seq, caption.translations.count()) == (2, 0)
    assert history(caption.meeting) == [("admin", "pt", OLD, "")]
