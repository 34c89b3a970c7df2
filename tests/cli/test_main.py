import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firesat import __version__
from firesat.cli import console
from firesat.cli.main import COMMANDS, main, parser_of
from firesat.cli.reference import reference

ROOT = Path(__file__).resolve().parents[2]


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, text in COMMANDS.items():
        assert f"  {name}" in shown
        assert text in shown


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys; from firesat.cli.main import main; main(['--help']); main(['--version']); "
        "print(sorted({'numpy', 'xarray', 'torch', 'jsonargparse', 'rich'} & set(sys.modules)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert shown.endswith(f"firesat {__version__}\n[]\n")


def test_no_command_is_a_wrong_request() -> None:
    assert main([]) == 2


def test_a_misspelt_command_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ingets"]) == 2
    assert capsys.readouterr().err == "firesat: unknown command 'ingets': did you mean ingest?\n"
    assert main(["zzz"]) == 2
    assert "see firesat --help" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches_by_an_example(name: str) -> None:
    text = parser_of(name).format_help()
    assert f"  firesat {name}" in text
    assert "Example" in text


def test_the_reference_is_current() -> None:
    written = (ROOT / "docs" / "commands.md").read_text()
    assert written == reference(), "run: make docs"


def test_a_missing_config_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--config", "nowhere.yaml"]) == 2
    error = capsys.readouterr().err
    assert error == "ConfigError: there is no config at nowhere.yaml: give --config FILE\n"


def test_a_missing_cube_is_one_line_and_exit_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["cube", "info", str(tmp_path / "none.zarr")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("CubeError: there is no cube at")
    assert error.count("\n") == 1


def test_ctrl_c_says_that_work_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from firesat.cli import cube

    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cube, "run", interrupted)
    assert main(["cube", "info", "a.zarr"]) == 130
    assert "what is finished is kept" in capsys.readouterr().err


def test_a_full_disk_is_one_line_and_exit_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from firesat.cli import cube

    def full(_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/a.tif")

    monkeypatch.setattr(cube, "run", full)
    assert main(["cube", "info", "a.zarr"]) == 1
    assert capsys.readouterr().err == (
        "OSError: /data/a.tif: No space left on device (--verbose tells where it happened)\n"
    )


def test_a_missing_file_is_a_fault_of_ours_and_a_closed_pipe_nobody_s(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from firesat.cli import cube

    def fails(error: OSError) -> None:
        def run(_: object) -> int:
            raise error

        monkeypatch.setattr(cube, "run", run)

    fails(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/data/a.tif"))
    with pytest.raises(FileNotFoundError):  # with its traceback
        main(["cube", "info", "a.zarr"])
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # put back at the end
    fails(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))
    assert main(["cube", "info", "a.zarr"]) == 1
    assert not capsys.readouterr().err
    sys.stdout.close()


@pytest.mark.parametrize(
    ("seconds", "lines"), [(0.0, ["1/3 a", "2/3 b", "3/3 c"]), (60.0, ["3/3 c"])]
)
def test_a_log_file_gets_a_line_now_and_then_and_at_the_end(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    lines: list[str],
) -> None:
    monkeypatch.setattr(console, "LINE_EVERY", seconds)
    with console.progress_bar("work") as advance:
        for done, what in enumerate("abc", start=1):
            advance(done, 3, what)
    assert capsys.readouterr().err.splitlines() == [f"work: {line}" for line in lines]
