"""All pairs of 64-bit hashes within a Hamming distance: exact, in DuckDB, also where the hashes crowd together."""
# ruff: noqa: S608 (what is put into the SQL here are numbers and names of this module)

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

MAX_DISTANCE = 7
_BANDS = 4
_BAND_BITS = 64 // _BANDS
_SUB_BITS = (64 - _BAND_BITS) // _BANDS
_CROWD = (48, 256)  # hashes that share a band's value, above which a second level is faster: measured, by the slack


def near_pairs(hashes: NDArray[np.uint64], distance: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices (i, j), i < j, of every two hashes that differ in at most `distance` of their 64 bits (0..7).

    `hashes` are distinct: whoever has equal ones collapses them first. The order of the pairs is not defined.

    The 64 bits are cut into 4 bands of 16. Where two hashes differ in at most d bits, some band differs in at most
    d // 4 (pigeonhole), so it is enough to compare hashes that agree in a band up to no bit (d <= 3) or one (d <= 7).
    A pair counts in its first such band only. Where many hashes share a band's value (real hashes crowd; of some four
    million they all do), the same is done once more inside: the other 48 bits are cut into 4 parts of 12. What grows
    with the square, then, is only a crowd of hashes that are truly near each other, and those pairs are the result.

    Source: Manku, Jain, Das Sarma, Detecting Near-Duplicates for Web Crawling (2007), section 3.
    """
    if not 0 <= distance <= MAX_DISTANCE:
        raise ValueError(f"a Hamming distance of 0..{MAX_DISTANCE} can be searched, not {distance}")
    with duckdb.connect(":memory:") as connection:
        connection.register("given", pa.table({"n": np.arange(len(hashes)), "h": hashes}))
        connection.execute("CREATE TABLE hashes AS SELECT n::UINTEGER AS n, h FROM given")
        found = [_pairs_of_band(connection, band, distance) for band in range(_BANDS)]
    left = np.concatenate([pairs[0] for pairs in found])
    right = np.concatenate([pairs[1] for pairs in found])
    return np.minimum(left, right), np.maximum(left, right)


def _pairs_of_band(
    connection: duckdb.DuckDBPyConnection, band: int, distance: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The near pairs for which `band` is the first that agrees up to `distance // 4` bits."""
    slack = distance // _BANDS
    shift = band * _BAND_BITS
    rest = f"((h >> {shift + _BAND_BITS}) << {shift}) | (h & {_mask(shift)})" if shift < 48 else f"h & {_mask(48)}"
    connection.execute(
        f"""CREATE OR REPLACE TABLE keys AS
            SELECT n, h, ((h >> {shift}) & {_mask(_BAND_BITS)})::USMALLINT AS key, {rest} AS rest FROM hashes;
        CREATE OR REPLACE TABLE crowds AS SELECT key FROM keys GROUP BY key HAVING count(*) > {_CROWD[slack]};"""
    )
    # of two hashes whose band differs in a bit, the one that has the bit looks for the other: a pair is met once
    connection.execute(
        f"""CREATE OR REPLACE VIEW probes AS
            SELECT n, h, rest, xor(key, bit)::USMALLINT AS key, bit <> 0 AS has_cleared
            FROM keys, {_flips(_BAND_BITS if slack else 0)} WHERE key & bit = bit"""
    )
    conditions = [
        f"bit_count(xor(a.h, b.h)) <= {distance}",
        "(a.has_cleared OR a.n < b.n)",
        *(f"{_differing('h', k * _BAND_BITS, _BAND_BITS)} > {slack}" for k in range(band)),
    ]
    queries = [_join(conditions, "probes", "keys", "ANTI", "key")]
    if connection.execute("FROM crowds LIMIT 1").fetchall():
        for part in range(_BANDS):
            sub = f"((rest >> {part * _SUB_BITS}) & {_mask(_SUB_BITS)})::USMALLINT"
            left = f"(SELECT *, xor({sub}, bit)::USMALLINT AS sub FROM probes, {_flips(_SUB_BITS if slack else 0)})"
            right = f"(SELECT *, {sub} AS sub FROM keys)"
            first = [f"{_differing('rest', k * _SUB_BITS, _SUB_BITS)} > {slack}" for k in range(part)]
            queries.append(_join(conditions + first, left, right, "SEMI", "key, sub"))
    pairs = connection.execute(" UNION ALL ".join(queries)).fetchnumpy()
    return np.asarray(pairs["a"], np.int64), np.asarray(pairs["b"], np.int64)


def _join(conditions: list[str], left: str, right: str, crowded: str, using: str) -> str:
    return f"""SELECT a.n AS a, b.n AS b
        FROM (SELECT * FROM {left} {crowded} JOIN crowds USING (key)) a
        JOIN (SELECT * FROM {right} {crowded} JOIN crowds USING (key)) b USING ({using})
        WHERE {" AND ".join(conditions)}"""


def _differing(column: str, shift: int, bits: int) -> str:
    return f"bit_count(xor(a.{column}, b.{column}) & {_mask(bits) << shift})"


def _flips(bits: int) -> str:
    """A relation of the masks with no bit, and with one of the first `bits`."""
    return f"(SELECT (1 << i) >> 1 AS bit FROM range({bits + 1}) r(i))"


def _mask(bits: int) -> int:
    return (1 << bits) - 1
