"""The size at which a coded picture is shown."""

from fractions import Fraction

# Aspect ratios within this of square are the rounding of an encoder: resampling for them would blur every pixel to move
# none by a visible amount. The nearest ratio that is meant (12:11) is 9% away. Beyond 4 the tag is damage.
_SQUARE_TOLERANCE = 0.01
_LARGEST_ASPECT = 4


def displayed_size(width: int, height: int, sample_aspect_ratio: Fraction, rotation: int) -> tuple[int, int]:
    """Width and height in px that a player shows a coded picture at.

    The axis that grows is scaled, so that nothing is lost: 720x480 at 32:27 is 853x480, at 8:9 it is 720x540.
    """
    aspect = honoured_aspect(sample_aspect_ratio)
    width, height = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    return (height, width) if rotation % 180 else (width, height)


def honoured_aspect(sample_aspect_ratio: Fraction) -> Fraction:
    """The ratio that `displayed_size` goes by: 1 where the tag is absent, damaged, or a rounding of square."""
    is_meant = abs(sample_aspect_ratio - 1) > _SQUARE_TOLERANCE
    is_possible = 1 / _LARGEST_ASPECT <= sample_aspect_ratio <= _LARGEST_ASPECT
    return sample_aspect_ratio if is_meant and is_possible else Fraction(1)
