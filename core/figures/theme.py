"""Colours and type of every picture. Hue means three things only: stream (accent), weight (violet), less or more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.request import Stream

SANS = '"Source Sans", sans-serif'
LABEL, SMALL = 13, 11.5  # px: token names; numbers beside an axis


@dataclass(frozen=True, slots=True)
class Theme:
    """One appearance. weights: 9 even stops for 0…1; change: 9 even stops for −limit…0…+limit; all sRGB hex."""

    name: str
    bg: str
    field: str
    ink: str
    ink2: str
    ink3: str
    rule: str
    fade: str
    hatch: str
    hatch_ground: str
    encoder: str
    decoder: str
    cross: str
    weights: tuple[str, ...]
    change: tuple[str, ...]

    def accent(self, stream: Stream) -> str:
        """The colour that stands for a stream, on every page."""
        return {Stream.ENCODER: self.encoder, Stream.DECODER: self.decoder, Stream.CROSS: self.cross}[stream]


LIGHT = Theme(
    "light", bg="#ffffff", field="#f4f3ef", ink="#1b1b22", ink2="#5a5a66", ink3="#696976", rule="#e3e1dc", fade="#c9c7cf",
    hatch="#a9a7b0", hatch_ground="#f2f1ee", encoder="#0f4fa0", decoder="#b34a00", cross="#0a7d62",
    weights=("#fbf9fc", "#e4d4f3", "#cdafe8", "#af8add", "#9164d3", "#6f4cb9", "#50339e", "#322571", "#181644"),
    change=("#865901", "#ac7c26", "#d4a143", "#e7cfa2", "#fbfaf7", "#d1c3ef", "#aa8dde", "#7d5fbd", "#53319d"),
)  # fmt: skip
DARK = Theme(
    "dark", bg="#15151b", field="#23222c", ink="#f1eff4", ink2="#b4b2bf", ink3="#918f9e", rule="#33323d", fade="#4b4957",
    hatch="#5d5b69", hatch_ground="#1b1b22", encoder="#5f9ff5", decoder="#f29a5c", cross="#86e3b8",
    weights=("#19191f", "#292646", "#3c3170", "#5a4096", "#7c4fbb", "#b36ac3", "#e489c7", "#ffb8ae", "#ffedcf"),
    change=("#fbd26b", "#cda448", "#a17924", "#5c4925", "#1f1e1b", "#483967", "#7854b6", "#a687db", "#d6bbff"),
)  # fmt: skip


def theme_named(name: str | None) -> Theme:
    """DARK for "dark", else LIGHT."""
    return DARK if name == "dark" else LIGHT


def rgb(colour: str) -> np.ndarray:
    """A hex colour as uint8 [3]."""
    return np.frombuffer(bytes.fromhex(colour.lstrip("#")), dtype=np.uint8)


def paint(values: np.ndarray, stops: tuple[str, ...]) -> np.ndarray:
    """Colours of values in [0, 1], interpolated in sRGB between even stops: uint8 [..., 3]. NaN gives the first stop."""
    table = np.stack([rgb(stop) for stop in stops]).astype(np.float64)
    values = np.nan_to_num(np.asarray(values, dtype=np.float64))
    at = np.clip(values, 0, 1) * (len(stops) - 1)
    low = np.minimum(at.astype(int), len(stops) - 2)
    part = (at - low)[..., None]
    return np.round(table[low] * (1 - part) + table[low + 1] * part).astype(np.uint8)


def plotly_scale(stops: tuple[str, ...]) -> list[list[float | str]]:
    """Even stops in Plotly's form."""
    return [[i / (len(stops) - 1), stop] for i, stop in enumerate(stops)]


def number_ink(colours: np.ndarray) -> np.ndarray:
    """Which ink can be read on each cell: "#1b1b22" where relative luminance (WCAG 2) > 0.2, else "#ffffff". str [...]."""
    part = np.asarray(colours, dtype=np.float64) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return np.where(linear @ np.array([0.2126, 0.7152, 0.0722]) > 0.2, "#1b1b22", "#ffffff")
