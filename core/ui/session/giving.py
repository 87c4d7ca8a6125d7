"""How a text is given to the model, as far as that is the visitor's choice: a second sentence, languages, the chat template."""

from __future__ import annotations

from core.checks import LONGEST_TEXT
from core.ui.session import links
from core.ui.session.links import Parameter, declare

PAIR = declare(Parameter("pair", "", links.text, links.short_enough, longest=LONGEST_TEXT))
# languages by the names that the tokenizer gives them; "" is its usual one
_language = links.matching(r"[A-Za-z_]{2,12}")
READS = declare(Parameter("from", "", _language, forgotten_with=("model",)))
WRITES = declare(Parameter("into", "", _language, forgotten_with=("model",)))
CHAT = declare(Parameter("chat", False, lambda raw: bool(links.below(raw, 2)), lambda on: str(int(on))))
