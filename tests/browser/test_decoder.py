"""Sequence modelling and The decoder in Chromium: looking around sends nothing; what is chosen stays."""

from playwright.sync_api import expect

CAT = {"model": "translator", "text": "the black cat sleeps on the red sofa", "target": "o gato preto dorme no sofá vermelho"}


def test_pointing_and_arrow_keys_tell_each_token_without_a_message(visit):
    visit.open("sequence", model="writer", text="neither the students nor the teacher")
    places, told = visit.page.locator(".surprisal .place"), visit.page.locator(".surprisal .summary")
    sent = len(visit.frames)
    places.filter(has_text="nor").hover()
    assert "“nor”" in told.inner_text()
    visit.page.locator("h1").hover()
    assert "“neither”" in told.inner_text()  # pointing away gives back what was chosen
    places.nth(1).focus()
    visit.page.keyboard.press("End")
    assert "The text ends here" in told.inner_text() and places.last.get_attribute("aria-pressed") == "true"
    visit.page.keyboard.press("ArrowLeft")
    assert "“teacher”" in told.inner_text() and places.nth(6).evaluate("one => one.matches(':focus')")
    heights = places.nth(4).locator(".bars i").evaluate_all("bars => bars.map(bar => bar.getBoundingClientRect().height)")
    bits = [float(cost) for cost in places.nth(4).locator(".cost").all_inner_texts()]
    assert abs(heights[0] / heights[1] - bits[0] / bits[1]) <= 0.05
    assert len(visit.frames) == sent


def test_boxes_and_steps_open_at_once_outlast_a_run_and_stand_in_the_link(visit):
    visit.open("decoder", **CAT)
    boxes, panel = visit.page.locator(".account .line"), visit.page.locator(".account .panel h3")
    boxes.nth(1).click()
    assert panel.inner_text() == "Masked self-attention, layer 1"
    visit.page.keyboard.press("ArrowDown")
    assert panel.inner_text() == "Cross-attention, layer 1"
    visit.page.locator(".account .pick button", has_text="preto").click()
    boxes.nth(5).click()
    assert "“gato” asks the source" in visit.page.locator(".account .panel .how").first.inner_text()
    rows = visit.page.locator(".account tr", has=visit.page.locator("td")).evaluate_all(
        "rows => rows.map(row => [row.querySelector('th').textContent, "
        "[...row.querySelectorAll('td')].reduce((sum, cell) => sum + Number(cell.textContent), 0)])"
    )
    assert max(rows, key=lambda row: row[1])[0] == "black"  # while it writes “preto” its heads look there most
    visit.page.wait_for_url("**step=3.6**")
    visit.page.locator(".st-key-decoder-mask label").first.click()
    visit.page.get_by_text("Mask off: each token sees").wait_for()
    visit.page.wait_for_url("**mask=decoder.full**")
    visit.settle(".account .line")
    assert panel.inner_text() == "Cross-attention, layer 2"
    assert "preto" in visit.page.locator(".account .summary").inner_text()
    visit.page.reload()
    panel.wait_for()
    expect(panel).to_have_text("Cross-attention, layer 2")
    expect(visit.page.locator(".account .summary")).to_contain_text("preto")


def test_the_account_opens_where_it_was_left(visit):
    visit.open("decoder", **CAT)
    boxes, panel = visit.page.locator(".account .line"), visit.page.locator(".account .panel h3")
    visit.page.locator(".account .pick button", has_text="preto").click()
    boxes.nth(5).click()
    visit.page.wait_for_url("**step=3.6**")
    visit.page.get_by_role("link", name="The encoder").first.click()
    visit.page.locator(".walk").wait_for()
    visit.page.get_by_role("link", name="The decoder").first.click()
    expect(panel).to_have_text("Cross-attention, layer 2")
    expect(visit.page.locator(".account .summary")).to_contain_text("preto")
