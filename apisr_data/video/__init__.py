"""Videos through PyAV: what a file is, its packets, its I-frames, and one frame again."""

from apisr_data.video.again import frame_at, frames_at, window
from apisr_data.video.frames import Frame
from apisr_data.video.packets import Packet, Scan, largest_packets
from apisr_data.video.probe import VideoInfo, probe
from apisr_data.video.reader import IFrameReader, iframes, scan

__all__ = [
    "Frame",
    "IFrameReader",
    "Packet",
    "Scan",
    "VideoInfo",
    "frame_at",
    "frames_at",
    "iframes",
    "largest_packets",
    "probe",
    "scan",
    "window",
]
