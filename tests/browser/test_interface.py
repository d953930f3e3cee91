"""The pages themselves in Portuguese, scripts included, and the form that makes a meeting."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.scripted import ScriptedServer, caption, hello, speaker
from tests.browser.test_host import ready


@pytest.fixture
def server(page: Page) -> ScriptedServer:
    return ScriptedServer(page, interface="pt")


def test_viewer_in_portuguese(page: Page, module_server: str, server: ScriptedServer) -> None:
    server.open_viewer(module_server)
    assert server.wait_for_socket(1)["ui"] == "pt-PT"
    assert page.locator("html").evaluate("(html) => [html.lang, html.dir]") == ["pt-PT", "ltr"]
    server.say(hello(languages=("en", "pt"), speakers=(speaker(1), speaker(2, "Ana"))))
    expect(page.locator("[data-connection]")).to_have_text("Em direto")
    server.say(caption(1, speaker="S1"), caption(2, speaker="S2"), caption(3, unsure=True))
    expect(page.locator(".speaker")).to_have_text(["Pessoa 1", "Ana", "Pessoa desconhecida"])
    page.get_by_label("Idioma das legendas").select_option("Português")
    expect(page.get_by_role("button", name="Mostrar original")).to_be_visible()
    server.say({"type": "notice", "state": "catching_up", "message": "Recuperando.", "behind_s": 14.2})
    expect(page.locator("[data-notice]")).to_contain_text("Recuperando. 14 s de atraso")


def test_host_in_portuguese(page: Page, module_server: str, server: ScriptedServer) -> None:
    server.open_host(module_server)
    server.say(ready(), hello(speakers=(speaker(1),)))
    expect(page.get_by_label("Nome de Pessoa 1")).to_be_visible()
    server.say({"type": "ledger", "durable_s": 0.0, "captioned_s": 0.0, "missing_s": 0.0, "detected_language": "pt"})
    expect(page.locator("[data-spoken-question]")).to_have_text("Parece português. Mudar?")
    expect(page.get_by_role("button", name="Manter inglês")).to_be_visible()
    page.get_by_role("button", name="Iniciar as legendas").click()
    page.get_by_role("button", name="Sim, iniciar as legendas").click()
    expect(page.get_by_role("button", name="Pausa")).to_be_visible()
    expect(page.locator("[data-level-text]")).to_contain_text("Nível: ")


def test_every_language_of_the_interface_can_be_chosen(page: Page, module_server: str, server: ScriptedServer) -> None:
    server.open_viewer(module_server)
    page.get_by_text("Aparência").click()
    languages = page.get_by_role("form", name="Idioma desta página").get_by_role("button")
    assert languages.evaluate_all("(all) => all.map((one) => [one.textContent, one.lang, one.ariaCurrent])") == [
        ["English", "en", None],
        ["Português (Portugal)", "pt", "true"],
        ["Português (Brasil)", "pt-br", None],
    ]


def test_what_is_downloaded_is_what_is_read(page: Page, module_server: str, server: ScriptedServer) -> None:
    server.open_viewer(module_server, downloads=True)
    server.say(hello(languages=("en", "pt")))
    link = page.locator("a[download]")
    for language, query in (("pt", "?token=t&lang=pt"), ("", "?token=t")):
        page.get_by_label("Idioma das legendas").select_option(language)
        expect(link).to_have_attribute("href", f"{module_server}m/scripted/transcript.vtt{query}")


def test_what_may_be_detected_is_asked_where_something_is_detected(
    page: Page, module_server: str, server: ScriptedServer
) -> None:
    server.open_list(module_server)
    languages = page.get_by_role("group", name="Idiomas que podem ser falados").first
    expect(languages).to_be_hidden()
    page.get_by_label("Idioma falado").select_option("auto")
    expect(languages).to_be_visible()
    languages.get_by_label("Português").check()
    page.get_by_label("Idioma falado").select_option("Inglês")
    expect(languages).to_be_hidden()
