from __future__ import annotations

import re

import pytest
from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import translation

from meetings.admin.captions import INLINE_CAPTIONS
from meetings.models import Caption, Correction, Meeting, Speaker, Swap

pytestmark = pytest.mark.django_db


def make_meeting(title: str, *texts: str) -> Meeting:
    meeting = Meeting.objects.create(title=title, last_seq=len(texts))
    Caption.objects.bulk_create(
        Caption(meeting=meeting, segment=str(i), seq=i + 1, start=float(i), end=i + 0.9, language="en", text=text)
        for i, text in enumerate(texts)
    )
    return meeting


def names_of_the_admin(language: str) -> dict[str, str]:
    """Of the models and of the columns of their lists; Django's own are Django's to translate."""
    ours = {model: view for model, view in admin.site._registry.items() if model._meta.app_label != "auth"}
    with translation.override(language):
        columns = {
            f"{model.__name__}.{column}": str(label_for_field(column, model, view))
            for model, view in ours.items()
            for column in map(str, view.list_display)
        }
        return columns | {model.__name__: str(model._meta.verbose_name_plural) for model in ours}


@pytest.mark.parametrize("language", ["pt", "pt-br"])
def test_every_name_is_translated(language: str) -> None:
    english, translated = names_of_the_admin("en"), names_of_the_admin(language)
    assert {place for place, name in english.items() if translated[place] == name} == {
        "Swap.gibibytes",
        "Swap.gigabytes_per_s",
    }


@pytest.mark.parametrize(
    ("language", "name"), [("pt", "Tentativas de início de sessão"), ("pt-br", "Tentativas de entrada")]
)
def test_sign_in_attempts_are_named_and_deleted_in_portuguese(admin_client: Client, language: str, name: str) -> None:
    AccessAttempt.objects.create(username="ana", ip_address="10.0.0.1", path_info="/", failures_since_start=5)
    admin_client.cookies["django_language"] = language
    listed = admin_client.get("/admin/axes/accessattempt/")
    chosen = {"action": "delete_selected", "_selected_action": [row.pk for row in listed.context["cl"].queryset]}
    asked = admin_client.post("/admin/axes/accessattempt/", chosen).content.decode()
    for page in (listed.content.decode(), asked):
        assert name in page
        assert not re.findall("(?i)axes<|access attempt|attempted access", page)
    admin_client.post("/admin/axes/accessattempt/", {**chosen, "post": "yes"})
    assert not AccessAttempt.objects.exists()


def test_meetings_are_found_by_what_was_said(admin_client: Client) -> None:
    make_meeting("Planning", "the budget is fixed", "the budget is signed")
    make_meeting("Retro", "nothing of that")
    found = admin_client.get("/admin/meetings/meeting/", {"q": "budget"}).context["cl"]
    assert [meeting.title for meeting in found.result_list] == ["Planning"]


def test_meetings_are_filtered(admin_client: Client) -> None:
    make_meeting("Planning")
    Meeting.objects.create(title="Reunião", language="pt")
    page = admin_client.get("/admin/meetings/meeting/", {"language__exact": "pt"}).content.decode()
    assert "Reunião" in page
    assert "Planning" not in page


def test_captions_are_found_by_text(admin_client: Client) -> None:
    make_meeting("Planning", "the budget is fixed", "nothing of that")
    page = admin_client.get("/admin/meetings/caption/", {"q": "budget"}).content.decode()
    assert "the budget is fixed" in page
    assert "nothing of that" not in page


def test_a_long_meeting_opens_with_its_newest_captions(admin_client: Client) -> None:
    meeting = make_meeting("Long", *(f"caption number {i:03}" for i in range(INLINE_CAPTIONS + 10)))
    page = admin_client.get(f"/admin/meetings/meeting/{meeting.pk}/change/").content.decode()
    assert f"caption number {INLINE_CAPTIONS + 9:03}" in page
    assert "caption number 010" in page
    assert "caption number 009" not in page


def test_saving_a_meeting_leaves_its_captions_alone(admin_client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed")
    form = {
        "title": "Budget",
        "language": "en",
        "captions-TOTAL_FORMS": "0",
        "captions-INITIAL_FORMS": "0",
    }
    answer = admin_client.post(f"/admin/meetings/meeting/{meeting.pk}/change/", form)
    assert answer.status_code == 302
    meeting.refresh_from_db()
    assert meeting.title == "Budget"
    assert meeting.captions.get().text == "the budget is fixed"


def test_operators_find_meetings_first_and_sign_in_attempts_last(admin_client: Client) -> None:
    index = admin_client.get("/admin/")
    apps = index.context["app_list"]
    assert [str(app["name"]) for app in apps] == ["Meetings", "Authentication and Authorization", "Sign-in attempts"]
    assert apps[0]["models"][0]["object_name"] == "Meeting"
    assert 'href="/admin/search/"' in index.content.decode()
    assert 'href="/admin/operations/"' in index.content.decode()


def test_a_meeting_is_told_in_words(admin_client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed")
    Speaker.objects.create(meeting=meeting, label="S1", name="Ana Quintela", seq=0)
    meeting.captions.update(speaker="S1")
    page = admin_client.get(f"/admin/meetings/meeting/{meeting.pk}/change/").content.decode()
    assert "Spoken language" in page
    for jargon in ("Cursor", "Last seq", "Link generation", "Every s"):
        assert jargon not in page
    places = [f"/admin/meetings/meeting/{meeting.pk}/change/", "/admin/meetings/caption/", "/admin/search/?q=budget"]
    assert all("Ana Quintela" in admin_client.get(place).content.decode() for place in places)


def test_a_language_that_is_offered_no_more_stays_with_its_meeting(admin_client: Client) -> None:
    meeting = make_meeting("Planning")
    Meeting.objects.filter(pk=meeting.pk).update(languages=["cy"])
    form = {"title": "Planning", "language": "en", "languages": ["cy"]}
    page = f"/admin/meetings/meeting/{meeting.pk}/change/"
    none = {"captions-TOTAL_FORMS": "0", "captions-INITIAL_FORMS": "0"}
    assert admin_client.post(page, {**form, **none}).status_code == 302
    meeting.refresh_from_db()
    assert meeting.languages == ["cy"]
    assert admin_client.post(page, {**form, **none, "languages": ["cy", "zu"]}).status_code == 200


def test_links_are_replaced(admin_client: Client) -> None:
    one, other = make_meeting("Planning"), make_meeting("Retro")
    form = {"action": "replace_links", "_selected_action": [one.pk]}
    page = admin_client.post("/admin/meetings/meeting/", form, follow=True).content.decode()
    assert "Links replaced: 1." in page
    generations = Meeting.objects.in_bulk([one.pk, other.pk])
    assert [generations[key].link_generation for key in (one.pk, other.pk)] == [1, 0]


NO_INLINES = {
    f"{name}-{number}_FORMS": "0" for name in ("corrections", "translations") for number in ("TOTAL", "INITIAL")
}


def history(meeting: Meeting) -> list[tuple[str, str, str]]:
    rows = Correction.objects.filter(caption__meeting=meeting).order_by("pk")
    return [(row.editor.get_username() if row.editor else "", row.before, row.after) for row in rows]


def test_a_caption_is_corrected_and_what_was_heard_stays(admin_client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed")
    caption = meeting.captions.get()
    assert admin_client.get("/admin/meetings/caption/add/").status_code == 403
    page = f"/admin/meetings/caption/{caption.pk}/change/"
    form = {"initial-text": caption.text, "text": "the budget is signed", **NO_INLINES}
    assert admin_client.post(page, form).status_code == 302
    caption.refresh_from_db()
    assert (caption.text, caption.seq, caption.revision) == ("the budget is signed", 2, 1)
    assert history(meeting) == [("admin", "the budget is fixed", "the budget is signed")]
    shown = admin_client.get(page).content.decode()
    assert '<div class="readonly">the budget is fixed</div>' in shown, "as heard"
    again = admin_client.post(page, {**form, "text": "the budget is lost"}).content.decode()
    assert "Somebody else has changed this line meanwhile" in again
    assert history(meeting) == [("admin", "the budget is fixed", "the budget is signed")]


def lines_of(prefix: str, *captions: Caption, **texts: str) -> dict[str, str]:
    """A form set of captions as a page sends it; `text0` is what is written in the first."""
    form = {f"{prefix}-TOTAL_FORMS": str(len(captions)), f"{prefix}-INITIAL_FORMS": str(len(captions))}
    for number, caption in enumerate(captions):
        form[f"{prefix}-{number}-id"] = str(caption.pk)
        form[f"initial-{prefix}-{number}-text"] = caption.text
        form[f"{prefix}-{number}-text"] = texts.get(f"text{number}", caption.text)
    return form


def test_captions_are_corrected_in_their_list(admin_client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed", "nothing of that")
    first, second = meeting.captions.order_by("start")
    form = {**lines_of("form", second, first, text1="the budget is signed"), "_save": "Save"}
    assert admin_client.post("/admin/meetings/caption/?o=1", form).status_code == 302
    assert history(meeting) == [("admin", "the budget is fixed", "the budget is signed")]


def test_captions_are_corrected_on_the_page_of_their_meeting(admin_client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed", "nothing of that")
    first, second = meeting.captions.order_by("start")
    form = {
        **lines_of("captions", second, first, text0="nothing of this"),
        "captions-0-meeting": meeting.pk,
        "captions-1-meeting": meeting.pk,
        "title": "Planning",
        "language": "en",
    }
    assert admin_client.post(f"/admin/meetings/meeting/{meeting.pk}/change/", form).status_code == 302
    assert history(meeting) == [("admin", "nothing of that", "nothing of this")]


def test_who_may_only_look_corrects_nothing(client: Client) -> None:
    caption = make_meeting("Planning", "the budget is fixed").captions.get()
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_caption"))
    client.force_login(viewer)
    page = f"/admin/meetings/caption/{caption.pk}/change/"
    assert client.get(page).status_code == 200
    assert client.post(page, {"text": "changed", **NO_INLINES}).status_code == 403
    assert not Correction.objects.exists()


def test_who_may_not_read_finds_titles_alone(client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed")
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_meeting"))
    client.force_login(clerk)

    def found(words: str) -> bool:
        return meeting.pk in client.get("/admin/meetings/meeting/", {"q": words}).content.decode()

    assert (found("Planning"), found("budget")) == (True, False)
    form = {"action": "export", "_selected_action": [meeting.pk]}
    assert client.post("/admin/meetings/meeting/", form)["Content-Type"] != "application/zip"
    clerk.user_permissions.add(*Permission.objects.filter(codename__in=("view_caption", "view_summary")))
    assert (found("Planning"), found("budget")) == (True, True)


def test_a_meeting_is_deleted_with_its_captions(admin_client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed")
    admin_client.post(f"/admin/meetings/meeting/{meeting.pk}/delete/", {"post": "yes"})
    assert not Meeting.objects.exists()
    assert not Caption.objects.exists()


def test_before_a_deletion_it_is_said_how_much_goes(admin_client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed", "nothing of that")
    page = admin_client.get(f"/admin/meetings/meeting/{meeting.pk}/delete/").content.decode()
    assert "<li>Captions: 2</li>" in page
    assert "budget" not in page


def test_who_may_not_delete_captions_deletes_no_meeting(client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed")
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=("view_meeting", "delete_meeting")))
    client.force_login(clerk)
    page = f"/admin/meetings/meeting/{meeting.pk}/delete/"
    assert client.post(page, {"post": "yes"}).status_code == 403
    assert Meeting.objects.exists()


def test_a_speaker_is_renamed_as_by_the_host(admin_client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed")
    speaker = Speaker.objects.create(meeting=meeting, label="S1", seq=0)
    page = f"/admin/meetings/speaker/{speaker.pk}/change/"
    assert admin_client.post(page, {"name": " Ana  Sousa"}).status_code == 302
    speaker.refresh_from_db()
    meeting.refresh_from_db()
    assert (speaker.name, speaker.seq, meeting.last_seq) == ("Ana Sousa", 2, 2)
    assert "all of them visible" in admin_client.post(page, {"name": "Ana\u202e"}).content.decode()


def test_who_has_lines_is_not_deleted(admin_client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed")
    speaker = Speaker.objects.create(meeting=meeting, label="S1", seq=0)
    meeting.captions.update(speaker="S1")
    assert admin_client.post(f"/admin/meetings/speaker/{speaker.pk}/delete/", {"post": "yes"}).status_code == 403


def test_speakers_who_are_one_person_are_joined(admin_client: Client) -> None:
    meeting = make_meeting("Planning", "the budget is fixed", "nothing of that")
    first, second = [Speaker.objects.create(meeting=meeting, label=f"S{number}", seq=0) for number in (1, 2)]
    meeting.captions.update(speaker="S2")

    def merge(*speakers: Speaker) -> str:
        form = {"action": "merge", "_selected_action": [str(speaker.pk) for speaker in speakers]}
        return admin_client.post("/admin/meetings/speaker/", form, follow=True).content.decode()

    assert "Choose two speakers or more, of one meeting." in merge(first)
    assert "All their lines are now those of Speaker 1." in merge(second, first)
    assert set(meeting.captions.values_list("speaker", flat=True)) == {"S1"}


def test_swaps_are_a_record(admin_client: Client) -> None:
    swap = Swap.objects.create(
        worker="w1",
        direction="to_summarization",
        outcome="failed",
        reason="The summariser does not fit.",
        seconds=1.25,
        gibibytes=0.375,
        gigabytes_per_s=2.5,
    )
    row = admin_client.get("/admin/meetings/swap/", {"outcome__exact": "failed"}).content.decode()
    for value in ("w1", "to_summarization", "failed", "1.25", "0.375", "2.5", "The summariser does not fit."):
        assert f">{value}</td>" in row
    others = admin_client.get("/admin/meetings/swap/", {"outcome__exact": "done"}).context["cl"]
    assert list(others.result_list) == []
    page = f"/admin/meetings/swap/{swap.pk}"
    assert admin_client.get(f"{page}/change/").status_code == 200
    assert admin_client.post(f"{page}/change/", {"worker": "w2"}).status_code == 403
    assert admin_client.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
