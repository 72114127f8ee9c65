import pytest

from apisr_data import config
from apisr_data.errors import ConfigError


@pytest.mark.parametrize("name", config.recipe_names())
def test_every_shipped_recipe_is_valid(name):
    assert isinstance(config.load_recipe(name), config.Recipe)


def test_the_papers_recipe_has_the_papers_constants():
    recipe = config.load_recipe("curate_api")
    assert (recipe.select.policy, recipe.select.partitions, recipe.select.step) == ("paper", 8, 5)
    assert recipe.rescale.height == 720


def test_an_unknown_recipe_lists_the_known():
    with pytest.raises(ConfigError, match="curate_api"):
        config.load_recipe("nothing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[select]\nper_vidoe = 3", "select.per_vidoe.*there are policy, per_video"),
        ("[select]\nper_video = 'three'", "select.per_video"),
        ("[select]\nper_video = 0", "greater than or equal to 1"),
        ("select = 3", "select"),
        ("[select", "Expected"),
    ],
)
def test_a_wrong_recipe_names_file_and_key(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"(?s)mine.toml.*{message}"):
        config.load_recipe(str(path))


def test_assignments_change_a_recipe():
    recipe = config.override(
        config.Recipe(), ["select.per_video=3", "rescale.height=native", "select.where=bit_depth > 8"]
    )
    assert (recipe.select.per_video, recipe.rescale.height) == (3, "native")
    assert recipe.select.where == "bit_depth > 8"


@pytest.mark.parametrize("assignment", ["per_video=3", "nothing.per_video=3", "select.per_video"])
def test_an_assignment_of_another_form_is_refused(assignment):
    with pytest.raises(ConfigError, match=r"STAGE\.KEY=VALUE"):
        config.override(config.Recipe(), [assignment])


class Inner(config.Settings):
    kept: int = 5
    changed: int = 1


class Table(config.Settings):
    inner: Inner = Inner(kept=7)
    absent: Inner | None = None


class Nested(config.Settings):
    table: Table = Table()


def test_an_assignment_reaches_a_table_in_a_table_and_leaves_the_rest():
    changed = config.override(Nested(), ["table.inner.changed=2", "table.absent.changed=3"])
    assert (changed.table.inner.kept, changed.table.inner.changed) == (7, 2)
    assert changed.table.absent == Inner(kept=5, changed=3)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("table.iner.changed=2", "table.iner: no such setting; there are inner, absent"),
        ("table.absent.chnged=2", "table.absent.chnged: no such setting; there are kept, changed"),
        ("table.inner.kept.deeper=2", "'kept' is one value"),
    ],
)
def test_a_wrong_assignment_to_a_table_in_a_table_says_what_there_is(assignment, message):
    with pytest.raises(ConfigError, match=message):
        config.override(Nested(), [assignment])


def test_a_digest_follows_settings_and_inputs():
    settings = config.Select()
    assert config.digest(settings, "a") == config.digest(config.Select(), "a")
    assert config.digest(settings, "a") != config.digest(settings, "b")
    assert config.digest(settings, "a") != config.digest(config.Select(per_video=3), "a")


def test_settings_survive_the_way_through_a_table():
    recipe = config.Recipe()
    assert config.parse(config.Recipe, recipe.model_dump(mode="json", exclude_none=True), "x") == recipe
