"""Pages run without a browser, by Streamlit's AppTest, with the shipped model."""

import base64
import json
import re
from functools import cache
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest

from core.ui.kit import frame

# every AppTest looks through all installed packages for components, which takes longer than a page does
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)
MAIN = Path(__file__).resolve().parents[2] / "core" / "ui" / "main.py"


class Screen:
    """What a visitor sees of a page, and what they can do there."""

    def __init__(self, page: str = "home", **params: str) -> None:
        self.app = AppTest.from_file(MAIN, default_timeout=60)
        self.go(page, **params)

    def go(self, page: str, **params: str) -> "Screen":
        for name, value in params.items():
            self.app.query_params[name] = value
        self.app.switch_page(f"../../pages/{page}.py").run()
        return self

    def type(self, text: str, field: str = "bar-text") -> "Screen":
        self.app.text_input(key=field).set_value(text).run()
        return self

    @property
    def html(self) -> list[str]:
        return [element.value for element in self.app.html]

    def said(self, kind: str) -> list[str]:
        """The paragraphs of a class, as text."""
        found = [body for body in self.html if f'class="{kind}' in body]
        return [unescape(re.sub(r"<[^>]+>", "", body)) for body in found]

    @property
    def lead(self) -> str:
        return self.said("lead")[0]

    @property
    def tokens(self) -> list[str]:
        """The text's tokens where the page writes them as chips, else the rows of the large map."""
        texts = [body for body in self.html if 'class="texts"' in body]
        if texts:
            return [unescape(token) for token in re.findall(r"<bdi [^>]*>(.*?)</bdi>", texts[0])]
        return [unescape(re.sub(r"</?b>", "", name)) for name in self.drawn["layout"]["yaxis"]["ticktext"]]

    @property
    def map(self) -> np.ndarray:
        """The large map as it was sent: float [query, key], NaN where looking is forbidden."""
        (drawn,) = [trace for trace in self.drawn["data"] if trace["type"] == "heatmap"]
        return numbers(drawn["z"])

    @property
    def drawn(self) -> dict:
        """The figure of the large map."""
        charts = [json.loads(chart.proto.spec) for chart in self.app.get("plotly_chart")]
        drawn = next(chart for chart in charts if any(trace["type"] == "heatmap" for trace in chart["data"]))
        return drawn

    def bars(self, number: int = 0) -> list[dict]:
        """The rows of one bar chart; the first one of a page is that of the next tokens."""
        sent = self.app.get("vega_lite_chart")[number].proto
        table = convert_arrow_bytes_to_pandas_df(sent.data.data if sent.data.data else sent.datasets[0].data.data)
        return table.astype(object).where(table.notna(), None).to_dict("records")

    def everything(self) -> dict[str, object]:
        """All that stands on the page: words, pictures, what components were sent, and what the widgets show."""
        kinds = ("text_input", "number_input", "selectbox", "select_slider", "slider", "toggle", "radio", "button_group")
        get = self.app.get
        return {
            "words": [*self.html, *(one.value for one in self.app.text), *(one.value for one in self.app.code)],
            "plots": [one.proto.spec for one in get("plotly_chart")],
            "sent": [(one.proto.component_name, one.proto.json, one.proto.bytes) for one in get("bidi_component")],
            "curves": [one.proto.spec for one in get("vega_lite_chart")],
            "bars": [self.bars(number) for number, one in enumerate(get("vega_lite_chart")) if one.proto.HasField("data")],
            "widgets": [(kind, one.key, one.value) for kind in kinds for one in get(kind)],
            "open": [one.proto.expanded for one in self.app.expander],
            "buttons": [(one.label, one.disabled) for one in self.app.button],
        }

    def calm(self) -> bool:
        """No exception reached the page, and nothing nobody foresaw happened."""
        return not self.app.exception and not any("not your fault" in body for body in self.html)


def numbers(value) -> np.ndarray:
    """An array as Plotly sends it: nested lists with null, or base64."""
    if isinstance(value, dict):
        flat = np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"])
        return flat.reshape([int(part) for part in str(value["shape"]).split(",")]).astype(float)
    return np.array([[np.nan if cell is None else cell for cell in row] for row in value], dtype=float)


@pytest.fixture(autouse=True)
def nobody_draws(monkeypatch):
    """There is no browser to give time to."""
    monkeypatch.setattr(frame, "TURN", 0.0)


@pytest.fixture
def screen():
    return Screen


@pytest.fixture
def offered(monkeypatch):
    """Offer the models of a folder, and no hub: called with the folder, which it gives back."""

    def offer(folder: Path) -> Path:
        monkeypatch.setenv("LOOKBACK_MODELS", str(folder))
        monkeypatch.setenv("LOOKBACK_HUB", "0")
        return folder

    return offer
