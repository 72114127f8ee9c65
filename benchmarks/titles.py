"""Which library reads the titles and episodes of real release names: guessit, anitopy, aniparse, or ours around it.

    python benchmarks/titles.py [data.json]

guessit and anitopy are measured where they are installed. data.json is the test data of Anitomy (erengy/anitomy on
GitHub, test/data.json): names that the rules were not written from, but for a few after a look at what failed.

A row counts the names whose title and episode are as labelled (titles compared without case, spaces and punctuation),
the pairs of names of one work that share a title (grouped), the pairs of different works that do not (apart), and CPU
time a name. The labels were made by hand before any library was run; a season is part of the episode (S02E05).
"""

import importlib
import importlib.util
import itertools
import json
import re
import sys
import time
import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path

import rich.console
import rich.table

from apisr_data import titles

Answer = tuple[str | None, str | None]
Case = tuple[Path, str, str]
ROOT = Path("/anime")

# kind, path, title, episode; names of one work stand together
NAMES = """
fansub | [SubsPlease] Sousou no Frieren - 01 (1080p) [F02B9CEE].mkv | Sousou no Frieren | 01
fansub | [SubsPlease] Sousou no Frieren - 28 (1080p) [8A1B0C2D].mkv | Sousou no Frieren | 28
fansub | [Erai-raws] Sousou no Frieren - 05 [1080p][Multiple Subtitle][0F1E2D3C].mkv | Sousou no Frieren | 05
fansub | [Judas] Sousou no Frieren - S01E09v2.mkv | Sousou no Frieren | S01E09
fansub | [Leopard-Raws] Sousou no Frieren - 03 RAW (NTV 1280x720 x264 AAC).mp4 | Sousou no Frieren | 03
chinese | [Nekomoe kissaten][Sousou no Frieren][12][1080p][CHS].mp4 | Sousou no Frieren | 12
chinese | [Sakurato] Sousou no Frieren [07][AVC-8bit 1080p AAC][CHS].mp4 | Sousou no Frieren | 07
chinese | [Lilith-Raws] Sousou no Frieren - 11 [Baha][WEB-DL][1080p][AVC AAC][CHT][MP4].mp4 | Sousou no Frieren | 11
scene | Sousou.no.Frieren.S01E14.1080p.CR.WEB-DL.AAC2.0.H.264-VARYG.mkv | Sousou no Frieren | S01E14
fansub | [Coalgirls]_Toradora!_01_(1920x1080_Blu-Ray_FLAC)_[1A2B3C4D].mkv | Toradora! | 01
fansub | [TaigaSubs]_Toradora!_(2008)_-_02v2_-_Tiger_and_Dragon_[1280x720_H.264_FLAC][1234ABCD].mkv | Toradora! | 02
special | [Coalgirls]_Toradora!_NCOP1_(1920x1080_Blu-Ray_FLAC)_[5A6B7C8D].mkv | Toradora! | NCOP1
special | [Coalgirls]_Toradora!_NCED_(1920x1080_Blu-Ray_FLAC)_[9A0B1C2D].mkv | Toradora! | NCED
special | [Doki] Toradora! - OVA (1920x1080 Hi10P BD FLAC) [0A1B2C3D].mkv | Toradora! | OVA
scene | Cowboy.Bebop.S01E05.Ballad.of.Fallen.Angels.1080p.BluRay.x264-GRP.mkv | Cowboy Bebop | S01E05
scene | Cowboy.Bebop.1998.S01E01.Asteroid.Blues.1080p.BluRay.10bit.DTS.x265-GRP.mkv | Cowboy Bebop | S01E01
dvd | Cowboy Bebop - 02 - Stray Dog Strut [DVD][x264].mkv | Cowboy Bebop | 02
dvd | Cowboy_Bebop_03_Honky_Tonk_Women.avi | Cowboy Bebop | 03
folder | Cowboy Bebop/Season 1/04.mkv | Cowboy Bebop | S01E04
folder | Cowboy Bebop/06 - Sympathy for the Devil.mkv | Cowboy Bebop | 06
scene | Cowboy.Bebop.The.Movie.2001.1080p.BluRay.x264-GRP.mkv | Cowboy Bebop The Movie |
season | [SubsPlease] Mushoku Tensei S2 - 05 (1080p) [AAAA0001].mkv | Mushoku Tensei | S02E05
season | [SubsPlease] Mushoku Tensei - 23 (1080p) [AAAA0002].mkv | Mushoku Tensei | 23
season | [Erai-raws] Mushoku Tensei 2nd Season - 03 [1080p][AAAA0003].mkv | Mushoku Tensei | S02E03
season | Mushoku Tensei Season 2 Episode 07.mp4 | Mushoku Tensei | S02E07
season | Mushoku.Tensei.S02E09.1080p.WEB.H264-SENPAI.mkv | Mushoku Tensei | S02E09
season | Mushoku Tensei/Season 02/Mushoku Tensei - S02E10 - Title of It.mkv | Mushoku Tensei | S02E10
absolute | [HorribleSubs] One Piece - 1071 [720p].mkv | One Piece | 1071
absolute | One.Piece.E1072.1080p.WEB-DL.x264.mkv | One Piece | 1072
absolute | One Piece 0999.mp4 | One Piece | 0999
absolute | [Group] One Piece - 590.5 [720p].mkv | One Piece | 590.5
movie | [Group] One Piece Film Red (2022) [BD 1080p HEVC].mkv | One Piece Film Red |
movie | Kimi no Na wa. (2016) [1080p][BDRip].mkv | Kimi no Na wa. |
movie | Akira.1988.REMASTERED.2160p.UHD.BluRay.x265.HDR-GRP.mkv | Akira |
movie | Spirited Away (2001).mkv | Spirited Away |
movie | [Beatrice-Raws] Tenki no Ko [BDRip 1920x1080 HEVC TrueHD].mkv | Tenki no Ko |
movie | The Question.mkv | The Question |
movie | the-question.mkv | the question |
number | [Group] 86 - 05 [1080p].mkv | 86 | 05
number | [Group] 86 - 06v2 [1080p].mkv | 86 | 06
number | [Commie] 91 Days - 02 [BD 1080p AAC] [ABCDEF01].mkv | 91 Days | 02
number | Mob.Psycho.100.S02E01.1080p.BluRay.x264.mkv | Mob Psycho 100 | S02E01
number | [HorribleSubs] Mob Psycho 100 - 03 [1080p].mkv | Mob Psycho 100 | 03
number | [Group] Mob Psycho 100 S3 - 04 (1080p).mkv | Mob Psycho 100 | S03E04
number | [Group] K - 02 [BD 720p].mkv | K | 02
number | [Group] No. 6 - 03 [720p].mkv | No. 6 | 03
number | [Group] 07-Ghost - 12 [DVD].mkv | 07-Ghost | 12
number | [Group] Steins;Gate 0 - 08 [1080p].mkv | Steins;Gate 0 | 08
number | [Group] Steins;Gate - 08 [1080p].mkv | Steins;Gate | 08
number | [Group] Kidou Senshi Gundam 00 - 11 [BD].mkv | Kidou Senshi Gundam 00 | 11
number | [Group] Fate Zero - 01 [BD 1080p].mkv | Fate Zero | 01
number | [Group] Fate stay night Unlimited Blade Works - 01 [BD 1080p].mkv | Fate stay night Unlimited Blade Works | 01
year | [Group] Fruits Basket (2019) - 05 [1080p].mkv | Fruits Basket | 05
year | Fruits.Basket.2019.S02E03.1080p.WEB-DL.mkv | Fruits Basket | S02E03
year | [Group] Hunter x Hunter (2011) - 148 [720p].mkv | Hunter x Hunter | 148
year | [Group] Hunter x Hunter (2011) - 007 [720p].mkv | Hunter x Hunter | 007
japanese | 葬送のフリーレン 第01話 「冒険の終わり」.mp4 | 葬送のフリーレン | 01
japanese | 葬送のフリーレン #02 (NTV 1440x1080 MPEG2 AAC).ts | 葬送のフリーレン | 02
japanese | [アニメ] 葬送のフリーレン 第3話.ts | 葬送のフリーレン | 3
japanese | 葬送のフリーレン/第04話.mp4 | 葬送のフリーレン | 04
japanese | 進撃の巨人 Season 2 第26話.mkv | 進撃の巨人 | S02E26
japanese | 進撃の巨人 - 05.mkv | 進撃の巨人 | 05
japanese | 劇場版 名探偵コナン 黒鉄の魚影.mkv | 劇場版 名探偵コナン 黒鉄の魚影 |
chinese | 【幻樱字幕组】【10月新番】【葬送的芙莉莲】【01】【BIG5_MP4】【1920X1080】.mp4 | 葬送的芙莉莲 | 01
chinese | [桜都字幕组] 葬送的芙莉莲 [05][1080p][简体内嵌].mp4 | 葬送的芙莉莲 | 05
chinese | 葬送的芙莉莲 第06集.mp4 | 葬送的芙莉莲 | 06
chinese | [LoliHouse] 灵笼 - 02 [WebRip 1080p HEVC-10bit AAC].mkv | 灵笼 | 02
chinese | 灵笼.S01E03.2160p.WEB-DL.H265.mp4 | 灵笼 | S01E03
russian | Атака титанов - 05 серия.mkv | Атака титанов | 05
russian | [AniLibria] Атака титанов [06] [1080p].mkv | Атака титанов | 06
russian | Атака_титанов_07_[AniDUB].avi | Атака титанов | 07
korean | 나 혼자만 레벨업 - 01화 [1080p].mp4 | 나 혼자만 레벨업 | 01
korean | 나 혼자만 레벨업 E02.mkv | 나 혼자만 레벨업 | 02
korean | 나 혼자만 레벨업 제3화.mp4 | 나 혼자만 레벨업 | 3
disc | Serial Experiments Lain/VIDEO_TS/VTS_01_1.VOB | Serial Experiments Lain |
disc | Serial Experiments Lain/Disc 2/VTS_02_1.VOB | Serial Experiments Lain |
disc | Perfect Blue/BDMV/STREAM/00001.m2ts | Perfect Blue |
disc | [BDMV] Perfect Blue/BDMV/STREAM/00002.m2ts | Perfect Blue |
disc | Texhnolyze/title_t03.mkv | Texhnolyze |
folder | Serial Experiments Lain/01.mkv | Serial Experiments Lain | 01
folder | Serial Experiments Lain/Episode 02.mkv | Serial Experiments Lain | 02
folder | Serial Experiments Lain/ep03.avi | Serial Experiments Lain | 03
folder | Serial Experiments Lain/S01E04.mkv | Serial Experiments Lain | S01E04
folder | [Group] Texhnolyze (2003) [BD 1080p]/05v2.mkv | Texhnolyze | 05
folder | Texhnolyze/Extras/NCOP.mkv | Texhnolyze | NCOP
folder | Texhnolyze/Specials/Texhnolyze - SP1.mkv | Texhnolyze | SP1
dots | Kill.la.Kill.-.07.-.Title.of.It.[BD.720p].mkv | Kill la Kill | 07
dots | Kill_la_Kill_-_08_[720p].mkv | Kill la Kill | 08
dots | Kill la Kill ep 09.mp4 | Kill la Kill | 09
dots | Kill la Kill 1x10.avi | Kill la Kill | S01E10
"""


def cases() -> list[Case]:
    """The names above."""
    fields = ([field.strip() for field in line.split("|")] for line in NAMES.strip().splitlines())
    return [(ROOT / path, title, episode) for _, path, title, episode in fields]


def anitomy_cases(path: Path) -> list[Case]:
    """Anitomy's names with one title and at most one episode; its labels keep the season out of the episode."""
    entries = [(entry["input"], entry["output"]) for entry in json.loads(path.read_text(encoding="utf-8"))]
    return [
        (ROOT / name.replace("/", "_"), found["title"], found.get("episode", ""))
        for name, found in entries
        if isinstance(found.get("title"), str) and isinstance(found.get("episode", ""), str)
    ]


def with_ours(path: Path) -> Answer:
    """Our way around aniparse."""
    found = titles.title_of(path, ROOT)
    return found.title, found.episode


def with_aniparse(path: Path) -> Answer:
    """Aniparse alone, on the path below the root."""
    parse = importlib.import_module("aniparse").parse
    series = (parse(path.name, path=str(path.relative_to(ROOT))) or {}).get("series") or [{}]
    season, number = (_first(series[0].get(key), "number") for key in ("season", "episode"))
    if number is None and (kinds := series[0].get("content_type")):
        return series[0].get("title"), f"{kinds[0].get('identifier')}{kinds[0].get('number') or ''}"
    return series[0].get("title"), _episode(season, number)


def with_guessit(path: Path) -> Answer:
    """Guessit alone, on the path below the root."""
    found = importlib.import_module("guessit").guessit(str(path.relative_to(ROOT)))
    season, number, title = found.get("season"), found.get("episode"), found.get("title")
    for other, name in (("Opening Credits", "NCOP"), ("Ending Credits", "NCED")):
        if other in str(found.get("other")):
            return title, f"{name}{found.get('credits_number') or ''}"
    if number is None and found.get("episode_details"):
        return title, str(found["episode_details"])
    return (str(title) if title else None), _episode(season if season != found.get("year") else None, number)


def with_anitopy(path: Path) -> Answer:
    """Anitopy (Anitomy in Python) alone; it reads file names only."""
    found = importlib.import_module("anitopy").parse(path.name) or {}
    return found.get("anime_title"), _episode(found.get("anime_season"), found.get("episode_number"))


def measure(read: Callable[[Path], Answer], labelled: list[Case]) -> tuple[list[Answer], float]:
    """Every case's answer, and CPU ms a name; an exception is no answer."""
    answers = []
    started = time.process_time()
    for path, _, _ in labelled:
        try:
            answers.append(read(path))
        except Exception:  # noqa: BLE001 - whatever a library raises is what is being measured
            answers.append((None, None))
    return answers, (time.process_time() - started) / len(answers) * 1000


def show(labelled: list[Case], *, has_seasons: bool) -> None:
    """Print one table, and each name that ours misread; without seasons only the number of an episode is compared."""
    table = rich.table.Table(
        "", "title", "episode", "both", "grouped", "apart", "ms a name", title=f"{len(labelled)} names"
    )
    works = [_key(title) for _, title, _ in labelled]
    pairs = list(itertools.combinations(range(len(works)), 2))
    for name, read in READERS.items():
        if name != "ours" and importlib.util.find_spec(name) is None:
            continue
        read(labelled[0][0])  # imports are not counted
        answers, milliseconds = measure(read, labelled)
        keys = [_key(title) or f"nothing {ordinal}" for ordinal, (title, _) in enumerate(answers)]
        is_title = [key == work for key, work in zip(keys, works, strict=True)]
        found = [_number(episode, has_seasons) for _, episode in answers]
        is_episode = [f == _number(label, has_seasons) for f, (*_, label) in zip(found, labelled, strict=True)]
        both = [t and e for t, e in zip(is_title, is_episode, strict=True)]
        grouped = [keys[a] == keys[b] for a, b in pairs if works[a] == works[b]]
        apart = [keys[a] != keys[b] for a, b in pairs if works[a] != works[b]]
        shares = (f"{sum(v) / len(v):.1%}" for v in (is_title, is_episode, both, grouped, apart))
        table.add_row(name, *shares, f"{milliseconds:.2f}")
    rich.console.Console().print(table)
    for (path, *label), answer, is_right in zip(labelled, answers, both, strict=True):
        if not is_right:
            print(f"{path.relative_to(ROOT)}\n    labelled {label}, ours {answer}")


def main() -> None:
    """Print the tables."""
    warnings.simplefilter("ignore")
    show(cases(), has_seasons=True)
    if len(sys.argv) > 1:
        show(anitomy_cases(Path(sys.argv[1])), has_seasons=False)


def _key(title: str | None) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", title or "").casefold() if c.isalnum())


def _number(episode: str | None, has_seasons: bool) -> str:
    text = re.sub(r"(?<!\d)0+(?=\d)|\s", "", (episode or "").upper())
    return text if has_seasons else re.sub(r"^S\d+E", "", text)


def _first(values: object, key: str) -> object:
    return values[0].get(key) if isinstance(values, list) and values else None


def _episode(season: object, number: object) -> str | None:
    if number is None:
        return None
    return f"S{season}E{number}" if season is not None else str(number)


READERS = {"guessit": with_guessit, "anitopy": with_anitopy, "aniparse": with_aniparse, "ours": with_ours}

if __name__ == "__main__":
    main()
