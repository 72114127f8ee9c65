"""The title and episode of a video: from a titles file, else the file's name, else its folder.

A title groups the videos of one work, so a season is part of the episode, and a year of neither. A release name is read
in two steps: the mark of the episode is found here, in the languages that such names are written in; what stands before
it goes to aniparse, which tells a title from release groups, codecs and sources. benchmarks/titles.py measures this
against guessit.
"""

import csv
import logging
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import aniparse

from apisr_data.errors import ConfigError

log = logging.getLogger(__name__)

_COLUMNS = ("path", "title", "episode", "source", "licence")

_NUMBER = r"(?P<number>\d{1,4}(?:\.\d(?!\d)|[a-c](?!\w))?)(?:\s?v\d)?"
_YEARS = r"(?:19[2-9]|20[0-3])\d"
_END = r"(?=$|[\s\[(_-])"
# Where a name says which episode it is; the first that is found decides, and the title stands before it.
_MARKS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\bS(?P<season>\d{{1,2}})[\s.]?E{_NUMBER}",
        rf"\b(?P<season>\d{{1,2}})x{_NUMBER}{_END}",
        rf"[第제]\s?{_NUMBER}\s?[話话集回화]",
        rf"(?<=\s){_NUMBER}\s?(?:[話话集回화]|серия)",
        rf"(?<!\w)(?:#|(?:episode|ep|e|серия|эпизод)[\s.]?){_NUMBER}{_END}",
        rf"(?<![^\s\[(])(?P<special>NCOP|NCED|OVA|OAD)(?:[\s-]*{_NUMBER})?(?=$|[\s\[(\])])",
        rf"(?<![^\s\[(])(?P<special>OP|ED|SP|Special)\s?{_NUMBER}(?=$|[\s\[(\])])",
        rf"(?<=\s)-\s{_NUMBER}{_END}",
        rf"(?<=\S)\s*\[(?!{_YEARS}\]){_NUMBER}\s?\(?(?:end|fin|完)?\)?\]",
        rf"^{_NUMBER}(?=$|\.\s|\s-\s\D)",
        r"(?<=\s)(?P<number>0\d{1,3})$",
        rf"(?<=\w[\s(]){_YEARS}(?=$|[\s)])",  # a film's year
    )
)
_SEASON = re.compile(
    r"[\s(\[]*(?:\b(?:S|season|saison|staffel|temporada|сезон)\s?(\d{1,2})|\b(\d)(?:st|nd|rd|th) season"
    r"|第\s?([\d一二三四五])\s?[期季]|(\d)기)[\s)\]-]*$",
    re.IGNORECASE,
)
_CHINESE_DIGITS = {"一": 1, "二": 2, "三": 3, "四": 4, "五": 5}
_QUALITY = re.compile(
    r"(?<=\S)\s*[\[(][^\[\]()]*(?:\b(?:BD|DVD|HEVC|AVC)|\d{3,4}[px]\b|\d{3,4}x\d{3,4}|[xh]\.?26[45]).*", re.IGNORECASE
)
_YEAR = re.compile(rf"(?<=\w)[\s(\[]+{_YEARS}[)\]]?$")
_DOT = re.compile(r"\.(?!(?<=\d\.)\d(?!\d))")  # not the point of a number
_SUFFIX = re.compile(r"\.(?=\w*[a-z])\w{2,5}$", re.ASCII | re.IGNORECASE)
_DISC_FILE = re.compile(r"VTS_\d\d_\d|VIDEO_TS|\d{5}|(?:title_?)?t\d\d", re.IGNORECASE)
# A folder inside a work's own folder, which names no work itself
_PART_OF_A_WORK = re.compile(
    r"(?:season|series|s|disc|disk|dvd|cd|bd|vol|volume|part|第)[\s._-]?[\d一二三四五]{1,2}[期季]?"
    r"|bdmv|stream|video_ts|extras?|specials?|sps?|ovas?|nc|ncop|nced|bonus|creditless|featurettes|\d{3,4}p",
    re.IGNORECASE,
)
# A folder of many works; no folder above it names one either
_COLLECTION = re.compile(
    r"anime|videos?|movies?|films?|tv|series|shows|media|downloads?|torrents?|samples?|data|datasets?|inputs?|sources?"
    r"|raws?|clips|desktop|documents|home|root|mnt|tmp|users",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Title:
    """`title` of the work; `episode` as `05`, `590.5`, `S02E05`, `NCOP1` or `OVA`, None where the name tells none."""

    title: str
    episode: str | None


@dataclass(frozen=True)
class Overrides:
    """The rows of a titles file in its order: a glob and the columns that the row fills."""

    rows: tuple[tuple[re.Pattern[str], dict[str, str]], ...]

    def apply(self, path: Path) -> dict[str, str]:
        """What the rows whose glob matches `path` say, by column; of two rows that fill one column the later wins."""
        absolute = unicodedata.normalize("NFC", path.absolute().as_posix())
        return {k: v for pattern, filled in self.rows if pattern.fullmatch(absolute) for k, v in filled.items()}


def title_of(path: Path, root: Path | None = None) -> Title:
    """The title and episode that `path` names; nothing is read from disk.

    The file's name decides; where it holds only a number or a disc's numbering (`01.mkv`, `VTS_01_1.VOB`), the nearest
    folder that names a work gives the title. Parts of a work (`Season 1`, `BDMV`) name none; nor is a folder above
    `root` asked, unless `root` is such a part. Failing all, the title is the file's stem.
    """
    stem = _SUFFIX.sub("", _readable(path.name))
    folder, season = _folder_title(path, root)
    if _DISC_FILE.fullmatch(stem):
        return Title(folder or stem, None)
    title, named_season, episode = _parse(stem)
    if episode and episode[0].isdigit() and (season := named_season or season):
        episode = f"S{season:02d}E{episode}"
    return Title(title or folder or stem or _readable(path.name), episode)


def read_titles_csv(path: Path) -> Overrides:
    """The titles file at `path`: UTF-8 CSV with the columns path, title, episode, source, licence; only path is needed.

    The column path is a glob: `*` is any text within one folder's or file's name, `**` any text, `?` one character;
    brackets are plain characters, as release names are full of them; case counts. It is matched against the end of a
    video's absolute path, from the start of a name: `Lain - *.mkv`, `Lain/**` and `/videos/**` all work.

    Raises:
        ConfigError: the file cannot be read, a column is unknown or missing, or a row is damaged; names file and line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return Overrides(tuple(_rows(file, path)))
    except OSError as error:
        raise ConfigError(f"titles file {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"titles file {path}: not UTF-8 (byte {error.start}); save it as «CSV UTF-8»") from None


def _rows(file: TextIO, path: Path) -> Iterator[tuple[re.Pattern[str], dict[str, str]]]:
    reader = csv.reader(file, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if "path" not in header or set(header) - set(_COLUMNS) or len(set(header)) < len(header):
            raise ConfigError(f"titles file {path}, line 1: columns {header}; path is needed, known are {_COLUMNS}")
        for cells in reader:
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
            if len(cells) > len(header):
                raise ConfigError(f"titles file {path}, line {reader.line_num}: {len(cells)} cells for {header}")
            if row and "path" not in row:
                raise ConfigError(f"titles file {path}, line {reader.line_num}: no path; found {row}")
            if row:
                yield _compile_glob(row.pop("path")), row
    except csv.Error as error:
        raise ConfigError(f"titles file {path}, line {reader.line_num}: {error}") from None


def _compile_glob(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", unicodedata.normalize("NFC", glob))
    special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("(?:.*/)?" + "".join(special.get(part) or re.escape(part) for part in parts), re.DOTALL)


def _folder_title(path: Path, root: Path | None) -> tuple[str | None, int | None]:
    """The title of the nearest folder that names a work, and the season that it or a folder inside it names."""
    season = None
    for folder in path.parents:
        if named := _SEASON.search(folder.name):
            season = season or _season_number(named)
        if _PART_OF_A_WORK.fullmatch(folder.name):
            continue
        title = None if _COLLECTION.fullmatch(folder.name) else _parse(_SEASON.sub("", folder.name))[0]
        if title or folder == root or _COLLECTION.fullmatch(folder.name):
            return title, season
    return None, season


def _parse(name: str) -> tuple[str | None, int | None, str | None]:
    """The title, season and episode (without its season) in a name without suffix."""
    text = _with_spaces(name)
    for mark in _MARKS:
        if found := mark.search(text):
            break
    else:
        return _ask_aniparse(_QUALITY.sub(" [1080p]", text))
    parts = found.groupdict()
    number = _padded(parts.get("number"))
    special = parts.get("special")
    episode = f"{special.upper().replace('SPECIAL', 'SP')}{(number or '').lstrip('0')}" if special else number
    head, season = text[: found.start()].rstrip(" -_([#"), int(parts["season"]) if parts.get("season") else None
    if named := _SEASON.search(head):
        head, season = head[: named.start()], season or _season_number(named)
    head = re.sub(r"\[([^\[\]]+)\]$", r" \1", head) if re.fullmatch(r"(?:\s*\[[^\[\]]+\])+", head) else head
    # aniparse takes a number at the end for the episode: « - 01» keeps it off titles such as «Mob Psycho 100»
    title = _ask_aniparse(f"{_YEAR.sub('', head)} - 01")[0] if head.strip() else None
    return title, season, episode


def _ask_aniparse(text: str) -> tuple[str | None, int | None, str | None]:
    try:
        found = (aniparse.parse(text) or {}).get("series") or [{}]
    except Exception as error:  # noqa: BLE001 - whatever a parser of free text raises, the folder's name is there
        log.debug("aniparse cannot read %r: %r", text, error)
        return None, None, None
    series = found[0]
    words = re.findall(r"\w+", series.get("title") or "")
    # aniparse reads «K-ON!! - 01» as «K ON!!» and «K-ON!! 01» as «K-ON!!»: what stands between its words is the name's
    as_written = re.search(r"[\W_]+".join(map(re.escape, words)) + r"[!?☆★♪°]*", text) if words else None
    title = re.sub(r"\s+", " ", as_written[0] if as_written else " ".join(words))
    title += "".join(closing for opening, closing in ("()", "[]") if title.count(opening) > title.count(closing))
    season, number = (_first_number(series.get(key)) for key in ("season", "episode"))
    return title or None, int(season) if season and season.isdecimal() else None, _padded(number)


def _first_number(values: object) -> str | None:
    number = str(values[0].get("number")) if isinstance(values, list) and values else ""
    return number if number[:1].isdecimal() else None


def _padded(number: str | None) -> str | None:
    """`5`, `005` -> `05`; `590.5` and `09a` keep what follows."""
    return re.sub(r"^\d+", lambda digits: f"{int(digits[0]):02d}", number) if number else None


def _season_number(found: re.Match[str]) -> int:
    number = next(group for group in found.groups() if group)
    return _CHINESE_DIGITS.get(number) or int(number)


def _with_spaces(name: str) -> str:
    """`name` in composed half-width characters and square brackets, spaces in place of the dots or underscores."""
    text = unicodedata.normalize("NFKC", _readable(name)).translate(str.maketrans("【】『』★", "[][] ")).strip()
    if " " in text:
        return text
    return text.replace("_", " ") if "_" in text else _DOT.sub(" ", text) if text.count(".") > 1 else text


def _readable(name: str) -> str:
    """`name` with `?` for bytes that are not UTF-8, which no table can hold."""
    return name.encode(errors="replace").decode()
