"""The title and episode of a file: from its name, its folder, or a titles file."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apisr_data import titles
from apisr_data.errors import ConfigError
from apisr_data.titles import Title, title_of

ROOT = Path("/anime")


@pytest.mark.parametrize(
    ("path", "title", "episode"),
    [
        ("[SubsPlease] Sousou no Frieren - 01 (1080p) [F02B9CEE].mkv", "Sousou no Frieren", "01"),
        ("[Nekomoe kissaten][Sousou no Frieren][12][1080p][CHS].mp4", "Sousou no Frieren", "12"),
        ("Sousou.no.Frieren.S01E14.1080p.CR.WEB-DL.AAC2.0.H.264-VARYG.mkv", "Sousou no Frieren", "S01E14"),
        ("[Judas] Sousou no Frieren - S01E09v2.mkv", "Sousou no Frieren", "S01E09"),
        ("[Coalgirls]_Toradora!_NCOP1_(1920x1080_Blu-Ray_FLAC)_[5A6B7C8D].mkv", "Toradora!", "NCOP1"),
        ("[Doki] Toradora! - OVA (1920x1080 Hi10P BD FLAC) [0A1B2C3D].mkv", "Toradora!", "OVA"),
        ("Mob.Psycho.100.S02E01.1080p.BluRay.x264.mkv", "Mob Psycho 100", "S02E01"),
        ("[Group] 86 - 06v2 [1080p].mkv", "86", "06"),
        ("[HorribleSubs] One Piece - 1071 [720p].mkv", "One Piece", "1071"),
        ("[Group] One Piece - 590.5 [720p].mkv", "One Piece", "590.5"),
        ("[Group] Fruits Basket (2019) - 05 [1080p].mkv", "Fruits Basket", "05"),
        ("Akira.1988.REMASTERED.2160p.UHD.BluRay.x265.HDR-GRP.mkv", "Akira", None),
        ("葬送のフリーレン 第01話 「冒険の終わり」.mp4", "葬送のフリーレン", "01"),
        ("進撃の巨人 第二期/第3話.mkv", "進撃の巨人", "S02E03"),
        ("【幻樱字幕组】【10月新番】【葬送的芙莉莲】【01】【BIG5_MP4】【1920X1080】.mp4", "葬送的芙莉莲", "01"),
        ("Атака титанов - 05 серия.mkv", "Атака титанов", "05"),
        ("나 혼자만 레벨업 제3화.mp4", "나 혼자만 레벨업", "03"),
        ("Cowboy Bebop/Season 1/04.mkv", "Cowboy Bebop", "S01E04"),
        ("Cowboy Bebop/06 - Sympathy for the Devil.mkv", "Cowboy Bebop", "06"),
        ("Serial Experiments Lain/VIDEO_TS/VTS_01_1.VOB", "Serial Experiments Lain", None),
        ("[BDMV] Perfect Blue/BDMV/STREAM/00002.m2ts", "Perfect Blue", None),
        ("Lain/[BD 1080p]/01.mkv", "Lain", "01"),
        ("K-ON!! - 03.mkv", "K-ON!!", "03"),
        ("[Group] Tegami Bachi (REVERSE) - 05.mkv", "Tegami Bachi (REVERSE)", "05"),
        ("the-question.mkv", "the-question", None),
    ],
)
def test_a_release_name_tells_title_and_episode(path: str, title: str, episode: str | None) -> None:
    assert title_of(ROOT / path, ROOT) == Title(title, episode)


def test_all_names_of_one_work_share_a_title() -> None:
    names = (
        "[Erai-raws] Mushoku Tensei 2nd Season - 03 [1080p][AAAA0003].mkv",
        "[SubsPlease] Mushoku Tensei S2 - 05 (1080p) [AAAA0001].mkv",
        "Mushoku Tensei Season 2 Episode 07.mp4",
        "Mushoku.Tensei.S02E09.1080p.WEB.H264-SENPAI.mkv",
        "Mushoku Tensei/Season 02/Mushoku Tensei - S02E10 - Title of It.mkv",
        "Mushoku Tensei/S2/11.mkv",
    )
    found = [title_of(ROOT / name, ROOT) for name in names]
    assert {t.title for t in found} == {"Mushoku Tensei"}
    assert [t.episode for t in found] == ["S02E03", "S02E05", "S02E07", "S02E09", "S02E10", "S02E11"]


def test_the_given_folder_is_the_last_that_is_asked() -> None:
    assert title_of(Path("/srv/[1080p]/01.mkv"), Path("/srv/[1080p]")) == Title("01", "01")
    assert title_of(Path("/srv/Lain/Season 1/01.mkv"), Path("/srv/Lain/Season 1")) == Title("Lain", "S01E01")


def test_a_folder_of_many_works_is_no_title() -> None:
    assert title_of(Path("/home/ben/Videos/01.mkv")) == Title("01", "01")


def test_a_name_that_is_not_utf8_still_gives_a_title_that_a_table_holds() -> None:
    assert title_of(Path("/anime/Lain \udcff - 01.mkv")).title.encode() == b"Lain"


def test_a_parser_that_fails_leaves_the_name_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str) -> None:
        raise IndexError(text)

    monkeypatch.setattr("aniparse.parse", fail)
    assert title_of(ROOT / "Lain" / "Lain - 01.mkv", ROOT) == Title("Lain - 01", "01")


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="/\0"), min_size=1).filter(lambda name: name not in (".", "..")))
def test_any_name_gives_a_title(name: str) -> None:
    found = title_of(ROOT / name, ROOT)
    assert found.title
    found.title.encode()


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "titles.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_titles_file_fills_columns_and_a_later_row_wins(tmp_path: Path) -> None:
    overrides = titles.read_titles_csv(
        write(
            tmp_path,
            "path,title,episode,source,licence\n"
            "**,,,web,CC-BY\n"
            'Lain/**,"Serial ""Experiments"", Lain",,,\n'
            "\n"
            "[Group] Lain - 0?.mkv,,NCOP,disc,\n",
            "utf-8-sig",
        )
    )
    assert overrides.apply(Path("/v/x.mkv")) == {"source": "web", "licence": "CC-BY"}
    assert overrides.apply(Path("/v/Lain/Disc 1/[Group] Lain - 01.mkv")) == {
        "title": 'Serial "Experiments", Lain',
        "episode": "NCOP",
        "source": "disc",
        "licence": "CC-BY",
    }


@pytest.mark.parametrize(
    ("glob", "path", "is_match"),
    [
        ("/v/*.mkv", "/v/a.mkv", True),
        ("/v/*.mkv", "/v/w/a.mkv", False),
        ("/v/**/a.mkv", "/v/a.mkv", True),
        ("/v/**/a.mkv", "/v/w/x/a.mkv", True),
        ("a.mkv", "/v/ba.mkv", False),
        ("[Group] A*", "/v/[Group] A.b.mkv", True),
        ("A.mkv", "/v/a.mkv", False),
        ("第?話*", "/v/第3話 «é».mkv", True),
        ("Pokémon*", unicodedata.normalize("NFD", "/v/Pokémon.mkv"), True),
    ],
)
def test_a_glob_matches_the_end_of_the_path(tmp_path: Path, glob: str, path: str, is_match: bool) -> None:
    overrides = titles.read_titles_csv(write(tmp_path, f"path,title\n{glob},T\n"))
    assert overrides.apply(Path(path)) == ({"title": "T"} if is_match else {})


@pytest.mark.parametrize(
    ("text", "encoding", "message"),
    [
        ("", "utf-8", r"line 1: columns \[\]"),
        ("title\nA\n", "utf-8", r"line 1: columns \['title'\]"),
        ("path,name\na,b\n", "utf-8", r"titles\.csv, line 1: .*'name'"),
        ("path,title\na,b\n,c\n", "utf-8", "line 3: no path"),
        ("path,title\na,b,c\n", "utf-8", "line 2: 3 cells"),
        ('path,title\na,"b\n', "utf-8", "line 2: unexpected end"),
        ("path,title\na,é\n", "latin-1", "not UTF-8"),
    ],
)
def test_a_damaged_titles_file_is_named_with_its_line(tmp_path: Path, text: str, encoding: str, message: str) -> None:
    path = write(tmp_path, text, encoding)
    with pytest.raises(ConfigError, match=message):
        titles.read_titles_csv(path)


def test_a_missing_titles_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.csv: No such file"):
        titles.read_titles_csv(tmp_path / "none.csv")
