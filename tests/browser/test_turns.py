"""The browser's count of its gestures (assets/components/shared/turns.js), as the file itself, in Chromium."""

import pytest

from tests.repository import read

PLAY = """async ([source, steps]) => {
  const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const turns = new (await import(address)).Turns();
  const sent = [];
  turns.trigger = (name, message) => sent.push([name, message]);
  const said = steps.map((step) => (step === "gesture" ? turns.next() && turns.made : turns.news(step)));
  turns.send("choice", { head: 5 });
  return [said, sent];
}"""


@pytest.fixture(scope="module")
def play(chromium):
    page = chromium.new_page()
    yield lambda *steps: page.evaluate(PLAY, [read("assets/components/shared/turns.js"), list(steps)])
    page.close()


def answer(own: int, seen: int) -> dict:
    return {"own": own, "seen": seen}


@pytest.mark.parametrize(
    "steps, said",
    [
        ([answer(1, 0), "gesture", answer(1, 1)], [True, 1, True]),  # its own echo
        # a late one
        ([answer(1, 0), "gesture", answer(1, 1), "gesture", answer(1, 1), answer(1, 2)], [True, 1, True, 2, False, True]),
        ([answer(1, 0), "gesture", "gesture", answer(1, 1)], [True, 1, 2, False]),
        # Python set something
        ([answer(1, 0), "gesture", answer(2, 0), answer(2, 0), answer(2, 1)], [True, 1, True, False, True]),
        ([answer(4, 17), "gesture", answer(4, 17), answer(4, 18)], [True, 18, False, True]),  # mounted anew, counted on
        ([{"own": 1}, "gesture", {"own": 1}, {"own": 2}], [True, 1, False, True]),  # a component that is sent no answers
    ],
)
def test_a_late_answer_is_told_from_an_echo_and_from_what_python_set(play, steps, said):
    heard, sent = play(*steps)
    assert heard == said
    gestures = [one for step, one in zip(steps, said, strict=True) if step == "gesture"]
    assert sent == [["choice", {"head": 5, "turn": gestures[-1]}]]
