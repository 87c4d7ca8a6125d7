"""What all lessons share, in Chromium: curves stay in their column on a projector, answers ask for number keys and fit a finger."""

from tests.browser.conftest import Visit

OVER = """() => [...document.querySelectorAll(".stVegaLiteChart")].map(chart => {
    const column = chart.closest(".stColumn") || chart.closest(".block-container");
    return chart.querySelector("svg, canvas").getBoundingClientRect().right - column.getBoundingClientRect().right;
})"""


def test_curves_stay_in_their_column_on_a_projector(chromium, server):
    visit = Visit(chromium, server, viewport={"width": 1920, "height": 1080}).open("rnn")
    visit.page.locator(".stVegaLiteChart svg, .stVegaLiteChart canvas").nth(2).wait_for()
    visit.page.wait_for_function(f"() => ({OVER})().every(over => over <= 1)")
    assert visit.page.locator(".stVegaLiteChart").count() == 3
    visit.close()


def test_answers_ask_a_phone_for_its_number_keys(chromium, server):
    visit = Visit(chromium, server, viewport={"width": 390, "height": 844}).open("rnn")
    fields = visit.page.locator("[class*=st-key-ask-] input")
    visit.page.locator("[class*=st-key-ask-] input[inputmode]").nth(1).wait_for()  # set a moment after they are drawn
    assert fields.count() == 2
    for field in fields.all():
        assert field.get_attribute("inputmode") == "decimal" and field.bounding_box()["height"] >= 44
    fields.first.fill("2,5 or so")
    fields.first.press("Enter")
    visit.page.get_by_text("“2,5 or so” is not a number.").wait_for()
    visit.close()
