from pathlib import Path

import pytest
import yaml

from firesat.errors import ConfigError
from firesat.project import check_keys, import_class, load, read_yaml, shipped
from firesat.window import Period

GOOD = {
    "grid": {"region": [10000, 620000, 70000, 680000]},
    "cube": {"path": "c.zarr", "periods": [{"start": "2021-05-01", "end": "2021-05-09"}]},
    "ingest": {
        "workers": 1,
        "sources": [
            {"class_path": "firesat.sources.modis.Modis", "init_args": {"product": "MOD13A1"}}
        ],
    },
}


def write(path: Path, content: object) -> Path:
    path.write_text(yaml.safe_dump(content))
    return path


def changed(tmp_path: Path, *keys: object, value: object) -> Path:
    content = yaml.safe_load(yaml.safe_dump(GOOD))
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return write(tmp_path / "p.yaml", content)


def test_a_good_file_becomes_objects(tmp_path: Path) -> None:
    project = load(write(tmp_path / "p.yaml", GOOD), ["ingest.workers=3", "cube.path=d.zarr"])
    assert project.cube.periods == [Period(start="2021-05-01", end="2021-05-09")]
    assert project.ingest.workers == 3
    assert project.cube.path == Path("d.zarr")
    assert project.cube.downloads == Path("cache")
    assert project.ingest.sources[0].layout.group == "modis_vi"
    assert project.sandbox is None
    assert project.train == {}


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("ingets",), {}, r"p.yaml: unknown key 'ingets': did you mean ingest\?"),
        (("grid", "regoin"), [1], r"p.yaml.grid: unknown key 'regoin': did you mean region\?"),
        (("cube", "periods", 0, "strat"), "2021", r"periods\[0\]: .*'strat': did you mean start"),
        (
            ("ingest", "sources", 0, "init_args", "prodcut"),
            "x",
            r"Modis: unknown key 'prodcut': did you mean product\?",
        ),
        (("ingest", "workers"), "many", "expected a whole number, found many"),
        (("cube", "periods", 0, "end"), "2021-04-01", "ends 2021-04-01, before it starts"),
        (("cube", "periods", 0, "end"), "2021-02-30", "is not a day"),
        (("grid", "region"), [0, 0, 10_000_000, 10_000], "leaves Canada's box"),
        (("ingest", "sources", 0, "class_path"), "os.system", "class_path os.system is not allow"),
        (
            ("ingest", "sources", 0, "class_path"),
            "firesat.sources.modis.Modsi",
            r"there is no class .*: did you mean firesat\.sources\.modis\.Modis\?",
        ),
        (("ingest", "sources", 0, "class_path"), "firesat.sources.mods.Modis", "no module"),
        (
            ("ingest", "sources", 0, "init_args", "product"),
            "MOD13Q1",
            "product: there is no MOD13Q1: give one of 'MOD13A1', ",
        ),
        (("ingest", "sources", 0, "class_path"), "firesat.window.DAY_START", "is no class"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, keys: tuple[object, ...], value: object, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(changed(tmp_path, *keys, value=value))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "sample.inputs.fire_extent=treu",
            "sample.inputs.fire_extent: expected true or false, found treu",
        ),
        ("sample.positives=many", "sample.positives: expected a whole number, found many"),
        (
            "sample.overwintering.metres=x",
            "sample.overwintering.metres: expected a number, found x",
        ),
        ("predict.chip=x", "predict.chip: expected a whole number, found x"),
        ("sandbox.seed=[1]", "sandbox.seed: expected a whole number, found [1]"),
        ("evaluate.level=high", "evaluate.level: expected a number, found high"),
        ("grid.region=x", "grid.region: expected a list, found x"),
        (
            "predict.precision=x",
            "predict.precision: there is no x: give one of 'auto', 'float32', 'bfloat16'",
        ),
    ],
)
def test_a_wrong_value_in_a_section_that_may_be_absent_is_one_key_and_what_it_may_be(
    override: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(shipped("configs/sandbox.yaml"), [override])
    assert str(caught.value) == f"sandbox.yaml: {said}"


def test_files_that_hold_no_settings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [1,")
    with pytest.raises(ConfigError, match="is no YAML"):
        read_yaml(tmp_path / "bad.yaml")
    with pytest.raises(ConfigError, match="holds no settings"):
        read_yaml(write(tmp_path / "list.yaml", [1]))
    with pytest.raises(ConfigError, match=r"write it as ingest\.workers=4"):
        load(write(tmp_path / "p.yaml", GOOD), ["workers"])


@pytest.mark.parametrize("text", ["!!python/object/apply:os.system ['touch canary']", "!!x 1"])
def test_yaml_that_would_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.yaml").write_text(f"cube: {text}")
    with pytest.raises(ConfigError, match="is no YAML"):
        load(tmp_path / "evil.yaml")
    assert not (tmp_path / "canary").exists()


def test_a_command_without_its_section_says_so(tmp_path: Path) -> None:
    project = load(write(tmp_path / "p.yaml", GOOD))
    with pytest.raises(ConfigError, match="the config has no section sample:"):
        project.section("sample")


def test_keys_of_plain_types_are_left_alone() -> None:
    check_keys(dict[str, int], {"anything": 1}, "here")
    check_keys(None, 5, "here")


def test_only_firesat_classes_are_imported() -> None:
    assert import_class("firesat.window.Window", ("firesat.",)).__name__ == "Window"


@pytest.mark.parametrize("name", ["sandbox", "region", "canada", "real/bc_c50929"])
def test_shipped_projects_load_with_days_that_need_no_quotes(name: str) -> None:
    project = load(
        shipped(f"configs/{name}.yaml"), ["cube.periods=[{start: 2024-02-29, end: 2024-03-01}]"]
    )
    assert [str(day) for day in project.cube.periods[0].days] == ["2024-02-29", "2024-03-01"]


def test_the_demo_can_be_given_forecast_weather(tmp_path: Path) -> None:
    text = shipped("configs/sandbox.yaml").read_text()
    datamart = "- class_path: firesat.sources.nwp.Datamart"
    for option in (datamart, "regime: operational", "forecasts: [nwp_gdps]"):
        assert f"# {option}" in text
        text = text.replace(f"# {option}", option)
    path = tmp_path / "sandbox.yaml"
    path.write_text(text)
    project = load(path)
    groups = [source.layout.group for source in project.ingest.sources]
    assert project.sample is not None
    assert set(project.sample.inputs.forecasts) == {"nwp_gdps"} <= set(groups)
    assert project.sample.inputs.weather_steps == 16 + 8
    assert project.sample.inputs.fire_extent


def test_the_train_section_stays_as_it_is_written() -> None:
    network = {"class_path": "firesat_models.TemporalCNN"}
    train = load(shipped("configs/real/bc_c50929.yaml")).train
    assert train["model"] == {"network": network}  # instantiated by the training alone


@pytest.mark.parametrize("name", ["configs/sandbox.yaml", "pipelines/Snakefile"])
def test_shipped_files_are_found(name: str) -> None:
    assert shipped(name).is_file()


def test_a_file_that_is_not_shipped_is_said() -> None:
    with pytest.raises(ConfigError, match="ships no configs/nothing"):
        shipped("configs/nothing.yaml")


def test_a_config_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"II*\0\xff\xfe\x80")
    with pytest.raises(ConfigError, match=r"p\.yaml is no YAML"):
        load(tmp_path / "p.yaml")
