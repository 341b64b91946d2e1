import os
import subprocess
import sys
import textwrap

from legatee.compiling import compiled, is_compiled

SCRIPT = """
def twice(x):
    return 2 * x
"""


def test_a_function_is_compiled_when_it_is_first_called():
    @compiled()
    def once(x):
        return x + 0.5

    assert not is_compiled(once)
    assert once(1) == 1.5
    assert is_compiled(once)


def in_a_process(folder, cache, *, readonly=False):
    """Whether it was compiled before, the result, and whether it is then."""
    code = textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {str(folder)!r})
        from numba.core import caching
        if {readonly}:  # root may write everywhere: refuse as a read-only place does
            for locator in (caching.UserProvidedCacheLocator, caching.InTreeCacheLocator,
                            caching.UserWideCacheLocator, caching.IPythonCacheLocator):
                locator.from_function = classmethod(lambda *_: None)
        from legatee.compiling import compiled, is_compiled
        from loop_to_compile import twice
        function = compiled()(twice)
        print(is_compiled(function), function(4), is_compiled(function))
        """
    )
    own = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=own)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_machine_code_is_kept_for_the_next_process_and_not_for_another_source(tmp_path):
    source = tmp_path / "loop_to_compile.py"
    source.write_text(SCRIPT)
    assert in_a_process(tmp_path, tmp_path / "cache") == ["False", "8", "True"]
    assert in_a_process(tmp_path, tmp_path / "cache") == ["True", "8", "True"]
    source.write_text(SCRIPT.replace("2 * x", "30 * x"))
    assert in_a_process(tmp_path, tmp_path / "cache") == ["False", "120", "True"]


def test_where_nothing_can_be_kept_it_is_compiled_all_the_same(tmp_path):
    (tmp_path / "loop_to_compile.py").write_text(SCRIPT)
    for _ in range(2):
        found = in_a_process(tmp_path, tmp_path / "cache", readonly=True)
        assert found == ["False", "8", "True"]
