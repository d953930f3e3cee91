"""Every text of the interface has a translation, and the compiled catalogues are those of the sources.

After a change of a text: edit `meetings/locale/*/LC_MESSAGES/*.po`, then `make messages`.
`pt` is Portuguese of Portugal, `pt_BR` that of Brazil.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import polib
import pytest
from django.template import engines
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.utils import translation

from meetings.languages import COMMON, LANGUAGES, READ_ONLY, language_name, spoken_choices
from meetings.templatetags.interface import LOCALE_DIR, catalogue
from tests.conftest import REPOSITORY

MARKERS = {"_", "gettext", "gettext_lazy", "gettext_noop"}
JS_TEXT = re.compile(r'\bgettext\(\s*"((?:[^"\\]|\\.)*)"')
CATALOGUES = sorted(LOCALE_DIR.glob("*/LC_MESSAGES/*.po"))
ENDS = set(".:?!…")
PLACES = re.compile(r"%\(\w+\)[sd]|\{\w+\}")

ELSEWHERE = {
    "pt": re.compile(
        r"(?i)\b(arquivos?|telas?|compartilh\w+|senhas?|baix(ar|e)|usuári\w+|você|registros?|banco de dados|conex\w+"
        r"|conect\w+|salv(ar|e|o)|detect\w+|ao vivo|planejam\w+|está \w+ndo|estão \w+ndo|em uma?|aba|pular|todo mundo"
        r"|precisa[mr]? \w+[aei]r|\w*[êô]ni[oa]s?|tcheco|polonês|controle|pression\w+|digit(ar|e|ando)|trav(ar|ou))\b"
    ),
    "pt_BR": re.compile(
        r"(?i)\b(ficheiros?|ecrãs?|partilh\w+|palavras?-passe|transf(erir|ira)|utilizador\w*|registos?|base de dados"
        r"|descodific\w+|detet\w+|em direto|planeam\w+|a \w+[aei]r de novo|está a \w+r|estão a \w+r|numa?|até ao|prima"
        r"|separador|demasiad\w+|telefónic\w+|noutr[oa]s?|\w*[éó]ni[oa]s?|checo|polaco|controlo|contact\w+|ligaç\w+|percebe\w*"
        r"|já não|(iniciar|inicie|terminar) sessão|à espera|de momento|entretanto|hífenes|definiç\w+|\w+-lhes?)\b"
    ),
}
"""Words of one variety of Portuguese by the catalogue where they are wrong."""

SYNONYMS = re.compile(r"(?i)\b(tokens?|orador\w*|(?<!-)falantes?|espectador\w*|subtítulos?|donos?|proprietári\w*)\b")
"""Words for what docs/glossary.md has another word for."""
GLUED = re.compile(r"[a-zà-ÿ][.?!][A-ZÀ-Ý]")
"""A sentence right behind another one, as after a slip of the clipboard."""

Key = tuple[str | None, str]
"""Context and English text."""


def marked_in_python() -> Iterator[Key]:
    for path in (REPOSITORY / "meetings").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in MARKERS:
                continue
            text = node.args[0]
            if isinstance(text, ast.Constant):
                yield None, str(text.value)
    for name in (*LANGUAGES.values(), *READ_ONLY.values()):
        yield None, name


def marked_in_templates() -> Iterator[Key]:
    engine = engines["django"].engine  # type: ignore[attr-defined]
    for path in (REPOSITORY / "templates").rglob("*.html"):
        template = engine.from_string(path.read_text(encoding="utf-8"))
        for node in template.nodelist.get_nodes_by_type(TranslateNode):
            context = node.message_context
            yield context and context.var, str(node.filter_expression.var.literal)
        for node in template.nodelist.get_nodes_by_type(BlockTranslateNode):
            yield None, node.render_token_list(node.singular)[0]


def marked_in_scripts() -> Iterator[Key]:
    for path in (REPOSITORY / "static" / "js").glob("*.js"):
        for text in JS_TEXT.findall(path.read_text(encoding="utf-8")):
            yield None, text


def marked(domain: str) -> set[Key]:
    return {*marked_in_scripts()} if domain == "djangojs" else {*marked_in_python(), *marked_in_templates()}


class ReadTexts(HTMLParser):
    """What people read in a template: its text, and the attributes that are read out."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.texts: set[str] = set()
        self.feed(markup)

    def handle_data(self, data: str) -> None:
        self.texts |= {line.strip() for line in data.splitlines() if re.search(r"[a-z]{2}", line)}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("alt", "aria-label", "aria-valuetext", "placeholder", "title"):
                self.handle_data(value or "")


def unmarked(source: str) -> set[str]:
    """Texts of a template that are not marked. An element with a `lang` of its own is in that language."""
    source = re.sub(r'{#.*?#}|<(\w+) lang="\w+">.*?</\1>', "", source)
    source = re.sub(r"{% blocktranslate.*?{% endblocktranslate %}", "", source, flags=re.DOTALL)
    source = re.sub(r"{% block body_class %}.*?{% endblock %}", "", source)
    return ReadTexts(re.sub(r"{%.*?%}|{{.*?}}", "", source)).texts


def keys(catalogue: polib.POFile) -> set[Key]:
    return {(entry.msgctxt, entry.msgid) for entry in catalogue if not entry.obsolete}


def test_there_is_a_catalogue_for_pages_and_for_scripts() -> None:
    assert [path.relative_to(LOCALE_DIR).as_posix() for path in CATALOGUES] == [
        "pt/LC_MESSAGES/django.po",
        "pt/LC_MESSAGES/djangojs.po",
        "pt_BR/LC_MESSAGES/django.po",
        "pt_BR/LC_MESSAGES/djangojs.po",
    ]


@pytest.mark.parametrize("path", sorted((REPOSITORY / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_every_text_of_a_template_is_marked(path: Path) -> None:
    assert unmarked(path.read_text(encoding="utf-8")) <= {"Parlance", "· Parlance"}


def test_a_text_that_is_not_marked_is_found() -> None:
    source = '<p title="One">{% translate "Two" %} Three</p>{% blocktranslate %}Four {{ x }}{% endblocktranslate %}'
    source += '{# Five #}<p lang="en">Six</p>'
    assert unmarked(source) == {"One", "Three"}


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.relative_to(LOCALE_DIR).as_posix())
class TestCatalogue:
    def test_has_every_text_and_no_other(self, path: Path) -> None:
        assert keys(polib.pofile(str(path))) == marked(path.stem)

    def test_every_text_is_translated(self, path: Path) -> None:
        entries = polib.pofile(str(path))
        assert [entry.msgid for entry in entries if not entry.translated() or entry.fuzzy] == []

    def test_translations_have_the_same_places(self, path: Path) -> None:
        entries = polib.pofile(str(path))
        differing = [e.msgid for e in entries if set(PLACES.findall(e.msgid)) != set(PLACES.findall(e.msgstr))]
        assert differing == []

    def test_is_of_one_variety_and_has_one_word_for_one_thing(self, path: Path) -> None:
        wrong = (ELSEWHERE[path.parent.parent.name], SYNONYMS, GLUED)
        texts = [entry.msgstr for entry in polib.pofile(str(path))]
        assert [text for text in texts if any(pattern.search(text) for pattern in wrong)] == []

    def test_ends_its_sentences_as_english_does(self, path: Path) -> None:
        entries = polib.pofile(str(path))
        assert [e.msgstr for e in entries if ENDS & {e.msgid[-1]} != ENDS & {e.msgstr[-1]}] == []

    def test_compiled_is_what_the_source_says(self, path: Path) -> None:
        compiled = polib.mofile(str(path.with_suffix(".mo")))
        assert {(e.msgctxt, e.msgid): e.msgstr for e in compiled} == {
            (e.msgctxt, e.msgid): e.msgstr for e in polib.pofile(str(path))
        }


@pytest.mark.parametrize("folder", sorted({path.parent for path in CATALOGUES}), ids=lambda folder: folder.parent.name)
def test_pages_and_scripts_use_the_same_words(folder: Path) -> None:
    catalogues = (polib.pofile(str(folder / name)) for name in ("django.po", "djangojs.po"))
    pages, scripts = ({entry.msgid: entry.msgstr for entry in entries} for entries in catalogues)
    assert {text: scripts[text] for text in pages.keys() & scripts.keys() if pages[text] != scripts[text]} == {}


def test_scripts_get_their_texts_in_the_language_of_the_page() -> None:
    assert catalogue("en") == {}
    assert catalogue("pt")["Jump to live"] == "Ir para o direto"
    assert catalogue("pt-br")["Jump to live"] == "Voltar ao vivo"


def test_languages_have_their_names_in_the_language_of_the_page() -> None:
    with translation.override("pt"):
        assert language_name("pt") == "português"
        detection, (common, _), (others, named) = spoken_choices()
        assert (detection, common, others) == (("auto", "Detetar enquanto se fala"), "Comuns", "Todos os outros")
        names = [name for _, name in named]
    assert names[:3] == ["Africanês", "Albanês", "Amárico"]
    assert len(named) + len(COMMON) == len(LANGUAGES)
