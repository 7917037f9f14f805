"""Reads each file in a folder with a program that is not ours: playlists (*.m3u8) with m3u8, all others, which are MP4, with MediaInfo.
Prints one JSON object, by the files' names."""
import json
import os
import sys

import m3u8
from pymediainfo import MediaInfo


def playlist(path):
    with open(path) as file:
        read = m3u8.loads(file.read())
    if read.is_variant:
        return {
            "variants": [
                {
                    "uri": variant.uri,
                    "bandwidth": variant.stream_info.bandwidth,
                    "average": variant.stream_info.average_bandwidth,
                    "codecs": variant.stream_info.codecs,
                    "resolution": "%dx%d" % variant.stream_info.resolution,
                    "rate": variant.stream_info.frame_rate,
                    "range": variant.stream_info.video_range,
                }
                for variant in read.playlists
            ],
        }
    control = read.server_control
    segments = read.segments
    # The parts of the segment that is being written are a segment without an address.
    whole = [segment for segment in segments if segment.uri]
    return {
        "version": read.version,
        "first": read.media_sequence,
        "target": read.target_duration,
        "ended": read.is_endlist,
        "independent": read.is_independent_segments,
        "segments": [segment.uri for segment in whole],
        "durations": [segment.duration for segment in whole],
        "dates": [segment.program_date_time.timestamp() for segment in whole if segment.program_date_time],
        "maps": sorted({segment.init_section.uri for segment in whole if segment.init_section}),
        "parts": [[part.uri for part in segment.parts] for segment in segments],
        "part_durations": [[part.duration for part in segment.parts] for segment in segments],
        "part_target": read.part_inf.part_target if read.part_inf else None,
        "blocks": control.can_block_reload if control else None,
        "part_hold_back": control.part_hold_back if control else None,
        "skip_until": control.can_skip_until if control else None,
        "hint": read.preload_hint.uri if read.preload_hint else None,
        "reports": [report.uri for report in read.rendition_reports],
        "skipped": read.skip.skipped_segments if read.skip else 0,
    }


def mp4(path):
    tracks = {}
    for track in MediaInfo.parse(path).tracks:
        if track.track_type in ("Video", "Audio"):
            tracks[track.track_type.lower()] = {
                "format": track.format,
                "codec": track.codec_id,
                "frames": int(track.frame_count or 0),
                "milliseconds": float(track.duration or 0),
                "size": "%sx%s" % (track.width, track.height),
                "rate": track.frame_rate,
                "sampling": track.sampling_rate,
            }
    trace = MediaInfo.parse(path, output="", parse_speed=1, mediainfo_options={"Details": "1"})
    words = ("problem", "trash", "error", "inconsist", "truncated", "invalid")
    tracks["doubts"] = [line for line in trace.splitlines() if any(word in line.lower() for word in words)]
    return tracks


os.chdir(sys.argv[1])
print(json.dumps({name: playlist(name) if name.endswith(".m3u8") else mp4(name) for name in sorted(os.listdir("."))}))
