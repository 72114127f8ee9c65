import pyarrow.parquet as pq
import pytest

from apisr_data import config, tables
from apisr_data.dataset import create_dataset, open_dataset
from apisr_data.errors import DatasetError, MissingStageError, QueryError


@pytest.fixture
def dataset(tmp_path):
    made = create_dataset(tmp_path / "title=x" / "it's a [set] *")
    made.put_in_force("extract", config.Extract(), "e1")
    sources = [{"video_id": v, "path": f"/{v}.mkv", "kind": "video", "title": "T"} for v in ("aa", "bb")]
    made.write_table(tables.SOURCES, tables.SOURCES.rows(sources), "")
    return made


def add_video(dataset, video_id, **facts):
    rows = [{"video_id": video_id, "status": "done", **facts}]
    tables.write(tables.VIDEOS.rows(rows), dataset.part("videos", video_id))
    dataset.refresh()


def test_every_table_is_a_view_even_before_it_is_written(dataset):
    for table in tables.TABLES:
        columns = dataset.sql(f"FROM {table.name}").columns
        assert set(columns) >= {c.name for c in table.columns}


def test_a_folder_s_name_adds_no_column(dataset):
    assert dataset.sql("SELECT DISTINCT title FROM sources").fetchall() == [("T",)]


def test_only_parts_of_the_settings_in_force_are_read(dataset):
    add_video(dataset, "aa", width=1)
    dataset.put_in_force("extract", config.Extract(exact=True), "e2")
    assert dataset.done("extract") == set()
    add_video(dataset, "aa", width=2)
    assert dataset.sql("SELECT width FROM videos").fetchall() == [(2,)]
    dataset.put_in_force("extract", config.Extract(), "e1")
    assert dataset.sql("SELECT width FROM videos").fetchall() == [(1,)]


def test_a_video_counts_only_when_its_last_part_is_there(dataset):
    tables.write(tables.FRAMES.rows([{"frame_id": "aa-0", "video_id": "aa"}]), dataset.part("frames", "aa"))
    dataset.refresh()
    assert dataset.sql("FROM frames").fetchall() == []
    add_video(dataset, "aa")
    assert len(dataset.sql("FROM frames").fetchall()) == 1


def test_a_video_that_no_source_names_is_left_out(dataset):
    add_video(dataset, "aa")
    add_video(dataset, "cc")
    assert dataset.sql("SELECT video_id FROM videos").fetchall() == [("aa",)]


EXTRACTED = (tables.FRAMES, tables.THUMBNAILS, tables.PACKET_SIZES, tables.VIDEOS)
SCORED = (tables.DESCALE, tables.SCORES)


def add_parts(dataset, video_id, written):
    for table in written:
        rows = [{"video_id": video_id} | ({"status": "done"} if table is tables.VIDEOS else {})]
        tables.write(table.rows(rows), dataset.part(table.name, video_id))
    dataset.refresh()


def damage(path, content):
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "cut off": whole[:-20], "zeros": bytes(len(whole)), "short": b"PAR1"}[content])


@pytest.mark.parametrize("table", [*EXTRACTED, *SCORED], ids=lambda table: table.name)
def test_a_deleted_part_is_asked_for_again(dataset, table):
    dataset.put_in_force("score", config.Score(), "s1")
    for video_id in ("aa", "bb"):
        add_parts(dataset, video_id, (*EXTRACTED, *SCORED))
    assert dataset.done("extract") == dataset.done("score") == {"aa", "bb"}
    dataset.part(table.name, "aa").unlink()
    lost, other = ("score", "extract") if table in SCORED else ("extract", "score")
    assert dataset.done(lost) == {"bb"}
    assert dataset.done(other) == {"aa", "bb"}


def test_a_video_that_failed_is_done_without_frames(dataset):
    add_parts(dataset, "aa", EXTRACTED)
    add_video(dataset, "bb", status="failed")
    assert dataset.done("extract") == {"aa", "bb"}


@pytest.mark.parametrize("content", ["empty", "cut off", "zeros", "short"])
@pytest.mark.parametrize("table", EXTRACTED, ids=lambda table: table.name)
def test_a_damaged_part_is_named_before_any_query_and_deleting_it_helps(dataset, table, content):
    for video_id in ("aa", "bb"):
        add_parts(dataset, video_id, EXTRACTED)
    part = dataset.part(table.name, "bb")
    damage(part, content)
    again = open_dataset(dataset.path)
    with pytest.raises(DatasetError) as raised:
        again.sql("SELECT 1")
    assert str(raised.value) == f"{part}: damaged; delete it and run again"
    part.unlink()
    assert again.sql("SELECT video_id FROM videos").fetchall() == [("aa",)]
    assert again.done("extract") == {"aa"}


def test_of_many_damaged_parts_five_are_named(dataset):
    sources = [{"video_id": f"v{n}", "path": f"/{n}.mkv", "kind": "video"} for n in range(8)]
    dataset.write_table(tables.SOURCES, tables.SOURCES.rows(sources), "")
    for row in sources[:-1]:
        add_video(dataset, row["video_id"])
        damage(dataset.part("videos", row["video_id"]), "cut off")
    with pytest.raises(DatasetError, match=r"v0\.e1\.parquet, .*v4\.e1\.parquet and 2 more: damaged; delete them"):
        dataset.sql("SELECT 1")


@pytest.mark.parametrize("table", [t for t in tables.TABLES if not t.is_per_video], ids=lambda table: table.name)
def test_a_damaged_table_over_all_videos_is_named(dataset, table):
    dataset.write_table(table, table.rows([]), "x")
    damage(dataset.table_path(table.name), "cut off")
    message = rf"{table.name}\.parquet: damaged; delete it and run again"
    for read in (lambda: dataset.sql("SELECT 1"), lambda: dataset.is_up_to_date(table.name, "x")):
        with pytest.raises(DatasetError, match=message):
            read()
    dataset.table_path(table.name).unlink()
    assert not dataset.is_up_to_date(table.name, "x")
    assert dataset.sql(f"FROM {table.name}").fetchall() == []


def test_a_damaged_manifest_is_named_to_its_reader(dataset):
    dataset.table_path("manifest").touch()
    with pytest.raises(DatasetError, match=r"manifest\.parquet: damaged"):
        dataset.manifest()


def test_the_settings_in_force_survive_reopening(dataset):
    again = open_dataset(dataset.path)
    assert again.digest("extract") == "e1"
    assert again.settings("extract", config.Extract) == config.Extract()
    assert again.settings("score", config.Score) is None


def test_a_table_knows_what_it_was_made_from(dataset):
    dataset.write_table(tables.DUPLICATES, tables.DUPLICATES.rows([]), "x")
    assert dataset.is_up_to_date("duplicates", "x")
    assert not dataset.is_up_to_date("duplicates", "y")


def test_a_fingerprint_changes_with_the_parts(dataset):
    before = dataset.fingerprint("videos")
    add_video(dataset, "aa")
    assert dataset.fingerprint("videos") != before


def test_two_writers_are_refused(dataset):
    with dataset.writing(), pytest.raises(DatasetError, match="another run is writing"), dataset.writing():
        pass


def test_what_a_killed_run_left_half_written_is_cleared(dataset):
    leftover = dataset.part("frames", "aa").with_name(".aa.e1.parquet.123.tmp")
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    with dataset.writing():
        assert not leftover.exists()


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(DatasetError, match="not empty and not a dataset"):
        create_dataset(tmp_path)


def test_a_folder_without_a_dataset_says_how_to_make_one(tmp_path):
    with pytest.raises(DatasetError, match="apisr-data extract VIDEOS -d"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(("text", "message"), [("format = 99", "update apisr"), ("format", "cannot be read")])
def test_a_damaged_or_newer_dataset_is_refused(dataset, text, message):
    (dataset.path / "dataset.toml").write_text(text)
    with pytest.raises(DatasetError, match=message):
        open_dataset(dataset.path)


def test_a_stage_without_its_input_names_the_stage_to_run(tmp_path):
    with pytest.raises(MissingStageError, match="apisr-data extract"):
        create_dataset(tmp_path / "new").part("frames", "aa")


def test_the_manifest_before_it_is_written_says_what_writes_it(dataset):
    with pytest.raises(MissingStageError, match="apisr-data run"):
        dataset.manifest()


def test_wrong_sql_is_a_query_error(dataset):
    with pytest.raises(QueryError, match="nowhere"):
        dataset.sql("FROM nowhere")


def test_a_part_takes_its_name_only_when_it_is_whole(tmp_path):
    path = tmp_path / "part.parquet"
    with pytest.raises(KeyError, match="no column"), tables.PartWriter(tables.DESCALE, path, rows_held=1) as part:
        part.add({"nothing": 1})
    assert list(tmp_path.iterdir()) == []
    with tables.PartWriter(tables.DESCALE, path, rows_held=2) as part:
        for height in range(5):
            part.add({"video_id": "aa", "height": height})
    assert pq.read_table(path)["height"].to_pylist() == [0, 1, 2, 3, 4]


def test_a_key_that_is_no_column_is_an_error():
    with pytest.raises(KeyError, match="no column \\['heigth'\\]"):
        tables.DESCALE.rows([{"heigth": 1}])
