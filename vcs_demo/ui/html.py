"""HTML out of data: Jinja templates with autoescaping on, so that no text of a corpus is ever markup."""

from collections.abc import Collection

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from vcs_demo.tables import Table
from vcs_demo.text import WORD, folded, nfc, syllables
from vcs_demo.words import say

_templates = Environment(
    loader=PackageLoader("vcs_demo.ui"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# Vietnamese function words: marking them would mark every line.
_FUNCTION_WORDS = frozenset(
    "và là của có cho các những một được bị thì mà ở với để khi này đó nào gì không như trong ra vào từ trên "
    "cũng đã đang sẽ rất hay hoặc nên cần tôi bạn ạ nhé sao thế ai đâu bao nhiêu làm người do vì về theo".split()
)


def render(template: str, lang: str, **values: object) -> str:
    """Render `templates/<template>.html`; within it `say(key, …)` gives the words of the language."""
    return _templates.get_template(f"{template}.html").render(
        **values, lang=lang, say=lambda key, **named: say(lang, key, **named), marked=marked
    )


def notice(text: str, kind: str = "info") -> str:
    """Render a message; `kind` is `info`, `good` or `bad`."""
    return render("notice", "en", kind=kind, text=text)


def refusal(text: str) -> str:
    """Render why something was not done."""
    return notice(text, "bad")


def quiet(text: str) -> str:
    """Render a line beside what matters."""
    return render("quiet", "en", text=text)


def progress(text: str, done: int, total: int) -> str:
    """Render how much of a work is done; a total of 0 is not known yet."""
    return render("progress", "en", text=text, done=done, total=max(total, 1))


def tables(*shown: Table) -> str:
    """Render tables one below the other."""
    return "".join(render("table", "en", table=table) for table in shown)


def content_words(*texts: str) -> frozenset[str]:
    """Return the syllables of texts without function words: what is worth marking elsewhere."""
    return frozenset(s for text in texts for s in syllables(text)) - _FUNCTION_WORDS


def marked(text: str, words: Collection[str]) -> Markup:
    """Escape a text and put `<mark>` around the words whose folded, lower-cased form is among `words`."""
    pieces = WORD.split(nfc(text))
    return Markup("").join(
        Markup("<mark>{}</mark>").format(piece)
        if number % 2 and folded(piece).lower() in words
        else escape(piece)
        for number, piece in enumerate(pieces)
    )
