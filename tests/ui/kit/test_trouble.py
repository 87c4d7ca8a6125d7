"""What is told when something goes wrong."""

import logging

from core.errors import InputError
from core.ui.kit import trouble
from core.ui.shell.bar import plain


def test_our_own_errors_speak_for_themselves():
    assert (
        trouble.sentence(InputError("a word", "nothing", "Type one")) == "Expected a word, but got nothing. Type one."
    )


def test_what_nobody_foresaw_is_a_calm_line_and_goes_to_the_log(caplog):
    with caplog.at_level(logging.ERROR, logger="lookback"):
        said = trouble.sentence(ZeroDivisionError("secret/path.py"))
    assert said == trouble.CALM
    assert "secret" not in said
    assert "ZeroDivisionError" in caplog.text


def test_markdown_in_a_name_stays_text():
    assert plain("![x](http://evil)") == r"\!\[x\]\(http\:\/\/evil\)".replace(r"\/", "/")
    assert plain("**a** :red[b] $c$ `d`") == r"\*\*a\*\* \:red\[b\] \$c\$ \`d\`"
