"""What made the weights and the data is not part of the app: with every page opened, none of it has been loaded."""

import json
import subprocess
import sys

from core.paths import ROOT
from tests.repository import sources

CODE = """
import json, sys
from streamlit.testing.v1 import AppTest
from core.ui.kit import frame
frame.TURN = 0.0
app = AppTest.from_file("core/ui/main.py", default_timeout=120)
app.run()
opened = []
for page in sys.argv[1:]:
    app.switch_page(f"../../{page}").run()
    opened += [page] if not app.exception and app.title else []
print(json.dumps([opened, sorted(sys.modules)]))
"""


def test_every_page_opens_without_training_evaluation_or_data():
    pages = sorted(sources("pages/"))
    done = subprocess.run([sys.executable, "-c", CODE, *pages], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    opened, modules = json.loads(done.stdout.splitlines()[-1])
    assert opened == pages
    assert "core.model.transformer" in modules  # the pages did run a model
    assert [name for name in modules if name.startswith(("core.training", "core.evaluation", "core.data"))] == []
