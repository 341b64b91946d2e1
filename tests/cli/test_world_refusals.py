"""What ``legatee predict`` and ``legatee simulate`` refuse."""

import pytest
from world_cases import TOML, WRITTEN, typed

REFUSED = {
    "a misspelt field": (["u_nrm=1"], "unknown field 'u_nrm'; did you mean u_norm"),
    "a misspelt field of a task": (["upstream.sigma=1"], "did you mean upstream.sigma_p"),
    "a task without its field": (["upstream=3"], "unknown field 'upstream'"),
    "a negative norm": (["u_norm=-1"], "u_norm is -1; expected a number from 0 to 1e+30"),
    "alpha above 1": (["alpha=1.5"], "alpha is 1.5; expected a number from 0 to 1"),
    "half a sample": (["upstream.n=1.5"], "upstream.n is 1.5; expected a whole number from 1"),
    "too few dimensions": (["d=2"], "d is 2; expected a whole number from 3"),
    "no number": (["eta=fast"], "eta is 'fast'; expected a number from 1e-30"),
    "nothing": (["eta="], "eta is ''; expected a number"),
    "a number that is none": (["eta=nan"], "eta is nan; expected a number"),
    "more filters than there are": (["upstream.m=5"], "at most the upstream network's 5"),
    "a field twice": (["d=600", "d=700"], "d is given twice: 600 and 700"),
    "a field twice in a file": (["{twice}"], "upstream.n is given twice: 40 and 50"),
    "a field without end": (["{nested}"], "unknown field 'upstream.n.n"),
    "a misspelt rule": (["inherit=selectd"], "did you mean selected"),
    "two files": (["{toml}", "{json}"], "give one file, the rest FIELD=VALUE"),
    "a file that is missing": (["nowhere.toml"], "cannot read the setting 'nowhere.toml'"),
    "a folder": (["{folder}"], "cannot read the setting '{folder}'"),
    "a file that is no text": (["{bytes}"], "cannot read the setting '{bytes}'"),
    "no TOML": (["{no_toml}"], "cannot read the setting '{no_toml}'"),
    "no JSON": (["{no_json}"], "cannot read the setting '{no_json}'"),
    "JSON without end": (["{deep}"], "cannot read the setting '{deep}'"),
    "no table": (["{list}"], "'{list}' is not a table of fields"),
    "a misspelt field in a file": (["{misspelt}"], "unknown field 'u_nrm'; did you mean u_norm"),
    "a wrong value in a file": (["{wrong}"], "upstream.n is -3; expected a whole number from 1"),
    "text in a file": (["{text}"], "d is '600'; expected a whole number"),
}
FILES = {
    "toml": TOML,
    "json": WRITTEN.to_json(),
    "bytes": b"\xff\xfe\x00",
    "no_toml": "d = = 3",
    "no_json": "{",
    "deep": "[" * 100_000,
    "list": "[1, 2]",
    "misspelt": "u_nrm = 1",
    "wrong": "[upstream]\nn = -3",
    "text": '{"d": "600"}',
    "twice": "'upstream.n' = 40\nupstream.n = 50",
    "nested": "upstream" + ".n" * 5000 + " = 1",
}
JSON = ("json", "no_json", "deep", "list", "text")


@pytest.mark.parametrize("command", ["predict", "simulate"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_in_one_sentence(name, command, tmp_path):
    places = {"folder": tmp_path}
    for file, text in FILES.items():
        places[file] = tmp_path / f"{file}.{'json' if file in JSON else 'toml'}"
        places[file].write_bytes(text if isinstance(text, bytes) else text.encode())
    words, expected = REFUSED[name]
    code, out, err = typed(command, *(word.format(**places) for word in words))
    assert (code, out) == (1, "")
    assert err.startswith("legatee: ")
    assert err.count("\n") == 1
    assert expected.format(**places) in err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--record-steps", "3,x"], "--record-steps is '3,x'; expected whole numbers"),
        (["--record-steps", "-3"], "an element of record_steps is -3; expected a whole number"),
        (["--dtype", "float16"], "unknown dtype 'float16'; did you mean"),
        (["--device", "nonsense"], "nonsense"),
        (["downstream.n=1000000000000"], "GiB"),
    ],
    ids=str,
)
def test_what_cannot_be_simulated_is_refused_in_one_sentence(words, expected):
    code, out, err = typed("simulate", *words)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert expected in err
